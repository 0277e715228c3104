import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { importedVersionSchema } from '../../../api/schemas/imports.ts';
import { GATES, SIGNATURE } from './support/answers.ts';
import { type FakePlatform, ok, problem, type Reply, startFakePlatform } from './support/fake-platform.ts';
import { emptyFolder, runInside } from './support/run-cli.ts';

const imported = (more: object = {}) => ({
  model: 'churn',
  version: 4,
  status: 'accepted',
  created: true,
  artefact_digest: 'a'.repeat(64),
  artefact_bytes: 1234,
  producer: 'skl2onnx 1.19.1',
  opsets: 'ai.onnx 17, ai.onnx.ml 3',
  signature: SIGNATURE,
  findings: [
    { check: 'output', severity: 'info', message: 'The probability is read from p[:, 1]', fix: null },
    { check: 'signature', severity: 'warning', message: 'Any text goes', fix: 'list them as categories' },
  ],
  latency: [
    { rows: 1, p50Ms: 0.0123, p95Ms: 0.0456, rowsPerSecond: 81_300.8 },
    { rows: 1000, p50Ms: 4.5, p95Ms: 5.25, rowsPerSecond: 222_222.2 },
  ],
  threads: { intraOp: 1, reason: 'because' },
  gates: [{ gate: 'doctor', passed: true, message: 'examined', evidence: {} }, ...GATES],
  ...more,
});

let platform: FakePlatform | null = null;
afterEach(async () => {
  await platform?.close();
  platform = null;
});

const folder = emptyFolder();
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};
const model = file('model.onnx', 'onnx bytes');

async function run(line: readonly string[], answer: Reply, more: Readonly<Record<string, Reply>> = {}) {
  platform = await startFakePlatform({ 'POST /models/churn/versions': answer, ...more });
  const env = { SLUICE_API_URL: platform.url, SLUICE_API_KEY: 'sk_live_test' };
  return runInside(['models', 'import', ...line], { env });
}
const sent = (path: string) => platform?.calls.find((c) => c.path === path)?.body;

describe('sluice models import', () => {
  it('sends the file with signature and samples, and reports what the doctor found', async () => {
    const signature = file('signature.yaml', 'threshold: 0.25');
    const samples = file('rows.jsonl', '{"age": 1}\n');
    const line = [model, '--model', 'churn', '--signature', signature, '--samples', samples];
    const { code, stdout, stderr } = await run(line, ok(imported(), 201));
    expect([code, stderr]).toEqual([0, `Examining ${model}\n`]);
    const form = String(sent('/models/churn/versions'));
    for (const part of [
      'name="model"; filename="model.onnx"',
      'onnx bytes',
      'name="signature"',
      'threshold: 0.25',
      'name="samples"',
      '{"age": 1}',
    ]) {
      expect(form).toContain(part);
    }
    expect(stdout).toMatch(/churn version 4 is accepted\nmade by skl2onnx 1.19.1; ai.onnx 17/);
    expect(stdout).toMatch(/warning {2}Any text goes\n {4}list them as categories/);
    expect(stdout).toMatch(/rows at once +p50 ms +p95 ms +rows\/s\n +1 +0.012 +0.046 +81,301\n +1,000 +4.500/);
    expect(stdout).toContain('1 thread a run: because');
    expect(stdout).toContain('Next: sluice rollout start churn --version 4');
  });

  it('is answered as the API publishes it', () => {
    expect(importedVersionSchema.safeParse(imported()).error).toBeUndefined();
  });

  it('answers with one JSON document', async () => {
    const { code, stdout } = await run([model, '--model', 'churn', '--json'], ok(imported({ created: false })));
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ ...imported({ created: false }), rollout: null });
  });

  it('rolls it out when it is accepted, and only then', async () => {
    const started = ok({ rollout_id: 'r', workflow_id: 'rollout/churn', run_id: 'r' }, 202);
    const line = [model, '--model', 'churn', '--rollout', 'blue-green'];
    const done = await run(line, ok(imported(), 201), { 'POST /rollouts': started });
    expect(done.stdout).toContain('Rolling out. Next: sluice rollout watch churn');
    expect(sent('/rollouts')).toEqual({ model: 'churn', version: 4, strategy: 'blue-green' });
    await platform?.close();
    const refused = await run(line, ok(imported({ status: 'rejected' }), 201), { 'POST /rollouts': started });
    expect([refused.code, sent('/rollouts')]).toEqual([4, undefined]);
    expect(refused.stdout).toContain('sluice models show churn --version 4');
  });

  it('shows what is wrong with a file and how to mend it', async () => {
    const fix = "A ZipMap at the end. To mend it: options={id(model): {'zipmap': False}}";
    const answer = problem(422, 'invalidInput', 'The model cannot be imported', [{ field: 'zipMap', message: fix }]);
    const { code, stderr } = await run([model, '--model', 'churn'], answer);
    expect(code).toBe(2);
    expect(stderr).toContain("options={id(model): {'zipmap': False}}");
  });

  it('names a file that cannot be read, and asks for the name of the model', async () => {
    const none = await run([join(folder, 'none.onnx'), '--model', 'churn'], ok({}));
    expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('none.onnx cannot be read (ENOENT)')]);
    const nameless = await run([model], ok({}));
    expect([nameless.code, nameless.stderr]).toEqual([2, expect.stringContaining('--model')]);
    expect(platform?.calls).toEqual([]);
  });
});
