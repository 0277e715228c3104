import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DEFINITION, MODEL, rollout, snapshot, version } from './support/answers.ts';
import { type FakePlatform, ok, problem, type Reply, startFakePlatform } from './support/fake-platform.ts';
import { runInside, type Surroundings } from './support/run-cli.ts';

let platform: FakePlatform | null = null;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-'));
});
afterEach(async () => {
  await platform?.close();
  platform = null;
  await rm(folder, { recursive: true, force: true });
});

async function against(routes: Readonly<Record<string, Reply>>, line: readonly string[], around: Surroundings = {}) {
  platform = await startFakePlatform(routes);
  return runInside(line, { ...around, env: { SLUICE_API_URL: platform.url, SLUICE_API_KEY: 'sk_live_test' } });
}
const posted = (path: string): unknown => platform?.calls.find((c) => c.method === 'POST' && c.path === path)?.body;

describe('sluice rollout approve', () => {
  const waiting = snapshot({
    evidenceHash: 'abc123',
    approvals: {
      stepIndex: 1,
      satisfied: false,
      rules: [{ role: 'techLead', persons: 2, expiresAfterMs: 1, approvedBy: ['key:ann'], satisfied: false }],
    },
  });
  const routes = {
    'GET /rollouts/churn': ok({ ...rollout(), snapshot: waiting }),
    'POST /rollouts/churn/approve': ok({ applied: 'approve', status: waiting }),
  };

  it('sends the evidence that was named', async () => {
    const line = 'rollout approve churn --evidence abc123 --role techLead --reason fine';
    const ended = await against(routes, line.split(' '));
    expect(ended.code).toBe(0);
    const sent = { evidence_hash: 'abc123', decision: 'approve', role: 'techLead', reason: 'fine' };
    expect(posted('/rollouts/churn/approve')).toEqual(sent);
  });

  it('shows the evidence to a person first, and sends exactly that', async () => {
    const ended = await against(routes, ['rollout', 'approve', 'churn', '--reject'], { columns: 100, stdin: 'y\n' });
    expect(ended.stderr).toContain('2 x techLead: key:ann');
    expect(posted('/rollouts/churn/approve')).toEqual({ evidence_hash: 'abc123', decision: 'reject' });
  });

  it('takes no decision of a script that has not named its evidence', async () => {
    const ended = await against(routes, ['rollout', 'approve', 'churn']);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('abc123');
    expect(posted('/rollouts/churn/approve')).toBeUndefined();
  });

  it('explains a refusal', async () => {
    const refused = problem(409, 'conflict', 'The evidence is another by now: def456');
    const ended = await against({ 'POST /rollouts/churn/approve': refused }, [
      ...['rollout', 'approve', 'churn', '--evidence', 'abc123'],
    ]);
    expect(ended).toMatchObject({ code: 4 });
    expect(ended.stderr).toContain('def456');
  });
});

describe('sluice ledger', () => {
  const entry = {
    generation: 3,
    routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
    rollout_id: null,
    decided_by: 'key:ann',
    reason: 'first version',
    evidence: null,
    valid_from: '2026-03-01T09:30:00.000Z',
    valid_to: null,
  };
  const routes = { 'GET /models/churn/ledger': ok({ model: 'churn', entries: [entry] }) };

  it('tells of a moment who decided what', async () => {
    const ended = await against(routes, ['ledger', 'churn', '--at', '2026-03-01T12:00:00Z']);
    expect(ended.stdout).toMatch(/champion v1 100 %[\s\S]*key:ann[\s\S]*first version/);
  });

  it('asks for a moment or a range', async () => {
    const line = 'ledger churn --at 2026-03-01T12:00:00Z --to 2026-03-02T12:00:00Z';
    expect(await runInside(line.split(' '))).toMatchObject({ code: 2 });
  });
});

describe('the other commands', () => {
  it('stop the line', async () => {
    const state = { active: true, by: 'key:ann', reason: 'incident', at: '2026-03-01T09:30:00.000Z' };
    const line = ['stop-the-line', 'on', '--reason', 'incident'];
    const ended = await against({ 'POST /stop-the-line': ok(state) }, line);
    expect(ended.stdout).toMatch(/The line is stopped since .* by key:ann: incident/);
    expect(posted('/stop-the-line')).toEqual({ active: true, reason: 'incident' });
  });

  it('report outcomes, one or a file of them', async () => {
    const routes = { 'POST /outcomes': ok({ accepted: 2, matched: 1 }) };
    const one = await against(routes, ['outcomes', 'report', '--event', 'complaint', '--entity', 'c1']);
    expect(one.code).toBe(0);
    expect(posted('/outcomes')).toEqual({ outcomes: [{ event: 'complaint', value: 1, entity_id: 'c1' }] });
    await platform?.close();
    const file = join(folder, 'outcomes.jsonl');
    await writeFile(file, '{"event":"a","entity_id":"1"}\n{"event":"b","entity_id":"2"}\n');
    const many = await against(routes, ['outcomes', 'report', '--file', file]);
    expect(many.stdout).toContain('2 accepted, 1 of a known prediction');
    expect(await runInside(['outcomes', 'report', '--event', 'x'])).toMatchObject({ code: 2 });
  });

  it('add webhooks and say by the exit code whether a test arrived', async () => {
    const made = { id: 'w1', target: 'https://h.example/…', format: 'slack', events: [], secret: 'whsec_x' };
    const ended = await against({ 'POST /webhooks': ok(made, 201) }, [
      ...['webhooks', 'add', 'https://h.example/x', '--format', 'slack', '--events', 'rollout.rollback'],
    ]);
    expect(ended.stdout).toContain('whsec_x');
    expect(posted('/webhooks')).toEqual({
      url: 'https://h.example/x',
      format: 'slack',
      events: ['rollout.rollback'],
    });
  });

  it('write a report with its plot beside it', async () => {
    const plot = Buffer.from('<svg/>').toString('base64');
    const routes = {
      'GET /rollouts/churn/report': { status: 200, body: null, raw: `# R\n![p](data:image/svg+xml;base64,${plot})\n` },
    };
    const file = join(folder, 'out', 'report.md');
    const ended = await against(routes, ['rollout', 'report', 'churn', '--out', file]);
    expect(ended.code).toBe(0);
    expect(await readFile(file, 'utf8')).toBe('# R\n![p](report.svg)\n');
    expect(await readFile(join(folder, 'out', 'report.svg'), 'utf8')).toContain('#');
  });

  it('release a version', async () => {
    const routes = { 'POST /models/churn/versions/2/release': ok({ model: 'churn', version: 2, status: 'accepted' }) };
    await against(routes, ['models', 'release', 'churn', '--version', '2', '--reason', 'fixed']);
    expect(posted('/models/churn/versions/2/release')).toEqual({ reason: 'fixed' });
  });
});

describe('sluice trigger', () => {
  const rollouts = [{ rollout_id: 'r1', model: 'churn', told: true }];
  const routes = { 'POST /triggers': ok({ rollouts }, 202) };

  it('sends the rollout of one model back', async () => {
    const ended = await against(routes, ['trigger', 'churn', '--kind', 'security', '--reason', 'tampered data']);
    expect(ended).toMatchObject({ code: 0 });
    expect(posted('/triggers')).toEqual({ model: 'churn', kind: 'security', reason: 'tampered data' });
    expect(ended.stdout).toMatch(/churn goes back now.*r1/);
  });

  it('sends all of them back, and says when there is none', async () => {
    const none = { 'POST /triggers': ok({ rollouts: [] }, 202) };
    const ended = await against(none, ['trigger', '--all', '--kind', 'alert', '--reason', 'incident 4711']);
    expect(posted('/triggers')).toEqual({ kind: 'alert', reason: 'incident 4711' });
    expect(ended.stdout).toContain('No rollout is open');
  });

  it.each([
    [['trigger', '--reason', 'x']],
    [['trigger', 'churn', '--all', '--reason', 'x']],
    [['trigger', 'churn']],
    [['trigger', 'churn', '--reason', 'x', '--kind', 'mood']],
  ])('sends nothing for %j', async (line) => {
    expect((await against(routes, line)).code).toBe(2);
    expect(platform?.calls).toEqual([]);
  });
});

describe('sluice rollout start --plan', () => {
  const routes = {
    'GET /models/churn': ok({ ...MODEL, definition: DEFINITION }),
    'GET /models/churn/versions': ok({ versions: [version(2)] }),
    'POST /rollouts': ok({ rollout_id: 'r1', workflow_id: 'w', run_id: 'x' }, 202),
  };
  const start = async (text: string, ...more: string[]) => {
    const file = join(folder, 'plan.yaml');
    await writeFile(file, text);
    return against(routes, ['rollout', 'start', 'churn', '--plan', file, ...more]);
  };

  it('sends what the file replaces', async () => {
    const ended = await start('minRequests: 500\nlimits:\n  errorRateMax: 0.005\n');
    expect(ended).toMatchObject({ code: 0 });
    const plan = { minRequests: 500, limits: { errorRateMax: 0.005 } };
    expect(posted('/rollouts')).toEqual({ model: 'churn', version: 2, plan });
  });

  it('takes JSON as well', async () => {
    expect(await start('{"alpha": 0.02}')).toMatchObject({ code: 0 });
    expect(posted('/rollouts')).toMatchObject({ plan: { alpha: 0.02 } });
  });

  it.each([
    ['every rule that the whole plan breaks', 'alpha: 7\nminRequests: -1', [/plan\.alpha/, /plan\.minRequests/]],
    ['fields that no plan has', 'minRequest: 5\nkeepWarmMs: soon', [/minRequest\b/, /keepWarmMs/]],
    ['what is not YAML', 'steps: [', [/neither YAML nor JSON/]],
    ['what is no plan', '- 1', [/expected a plan/]],
  ])('sends nothing and names %s', async (_what, text, messages) => {
    const ended = await start(text);
    expect(ended.code).toBe(2);
    for (const message of messages) expect(ended.stderr).toMatch(message);
    expect(posted('/rollouts')).toBeUndefined();
  });

  it('does not mix with options that say the same', async () => {
    expect((await start('alpha: 0.02', '--bake', '30s')).code).toBe(2);
  });
});
