import { afterEach, describe, expect, it } from 'vitest';
import { GATES, MODEL, PREDICTION, rollout, ROLLOUT_ID, snapshot, TRAINED } from './support/answers.ts';
import { type FakePlatform, ok, problem, type Reply, startFakePlatform } from './support/fake-platform.ts';
import { runInside } from './support/run-cli.ts';

let platform: FakePlatform | null = null;
afterEach(async () => {
  await platform?.close();
  platform = null;
});

async function against(routes: Readonly<Record<string, Reply | readonly Reply[]>>, line: readonly string[]) {
  platform = await startFakePlatform(routes);
  return runInside(line, { env: { SLUICE_API_URL: platform.url, SLUICE_API_KEY: 'sk_live_test' } });
}

const training = (more: object) =>
  ok({
    workflow_id: 'train/churn',
    run_id: 'run-1',
    status: 'running',
    progress: null,
    result: null,
    failure: null,
    ...more,
  });
const STARTED_TRAINING = { 'POST /models/churn/train': ok({ workflow_id: 'train/churn', run_id: 'run-1' }, 202) };

describe('--json', () => {
  it('puts one document on standard output and nothing on standard error', async () => {
    const ended = await against({ 'GET /models': ok({ models: [MODEL] }) }, ['models', 'list', '--json']);
    expect(JSON.parse(ended.stdout)).toEqual({ models: [MODEL] });
    expect(ended.stderr).toBe('');
  });

  it('may stand before the command as well', async () => {
    const ended = await against({ 'GET /keys': ok({ keys: [] }) }, ['--json', 'keys', 'list']);
    expect(JSON.parse(ended.stdout)).toEqual({ keys: [] });
  });

  it('waits for a training in silence and answers with its result', async () => {
    const progress = { stage: 'train', done: 3, total: 7, message: 'fitting', startedAtMs: 1, detail: null };
    const ended = await against(
      {
        ...STARTED_TRAINING,
        'GET /models/churn/train': [training({ progress }), training({ status: 'completed', result: TRAINED })],
      },
      ['train', 'churn', '--json'],
    );
    expect(JSON.parse(ended.stdout)).toEqual(TRAINED);
    expect(ended).toMatchObject({ code: 0, stderr: '' });
  });

  it('prints one object per change and line while it watches a rollout', async () => {
    const counted = rollout({ verdict: { ...snapshot().verdict!, reason: 'more requests were counted' } });
    const steps = [
      ok(rollout()),
      ok(counted),
      ok(rollout({ stepIndex: 1, weightPercent: 50, generation: 8 })),
      ok(rollout({ phase: 'promoted', generation: 9 })),
    ];
    const ended = await against({ 'GET /rollouts/churn': ok(rollout()), [`GET /rollouts/${ROLLOUT_ID}`]: steps }, [
      'rollout',
      'watch',
      'churn',
      '--json',
    ]);
    const lines = ended.stdout.trimEnd().split('\n');
    const seen = lines.map((line) => JSON.parse(line) as { generation: number; phase: string });
    expect(seen.map(({ generation, phase }) => [generation, phase])).toEqual([
      [7, 'running'],
      [8, 'running'],
      [9, 'promoted'],
    ]);
    expect(ended.code).toBe(0);
  });

  it('reports wrong usage as JSON on standard error', async () => {
    const ended = await runInside(['rollout', 'start', 'churn', '--strategy', 'yolo', '--json']);
    const { error } = JSON.parse(ended.stderr) as { error: { code: string; message: string; exit_code: number } };
    expect(error).toMatchObject({ code: 'usage', exit_code: 2 });
    expect(error.message).toContain('Allowed choices are canary, blue-green, launch-ramp, shadow, ab, all-at-once');
    expect(ended).toMatchObject({ code: 2, stdout: '' });
  });

  it('names every problem of a refused row', async () => {
    const problems = [
      { field: 'features.plan', message: 'is not a category the model knows', allowed: ['basic', 'pro'] },
      { field: 'features.age', message: 'must be at least 18' },
    ];
    const ended = await against(
      { 'POST /models/churn/predict': problem(422, 'invalidInput', 'The features cannot be used', problems) },
      ['predict', 'churn', '--features', '{"plan":"gold","age":-5}', '--json'],
    );
    expect(JSON.parse(ended.stderr)).toMatchObject({ error: { code: 'invalidInput', problems, exit_code: 2 } });
    expect(ended.code).toBe(2);
  });

  it('answers a whole batch in one document although it was sent in parts', async () => {
    const rows = Array.from({ length: 1001 }, (_, i) => ({ age: i }));
    platform = await startFakePlatform({
      'POST /predict/batch': [
        ok({ model: 'churn', predictions: Array(1000).fill(PREDICTION), request_id: 'a', latency_ms: 1 }),
        ok({ model: 'churn', predictions: [{ error: 'invalidInput', problems: [] }], request_id: 'b', latency_ms: 1 }),
      ],
    });
    const ended = await runInside(['predict', 'churn', '--file', '-', '--json'], {
      env: { SLUICE_API_URL: platform.url },
      stdin: JSON.stringify(rows),
    });
    const document = JSON.parse(ended.stdout) as { predictions: unknown[] };
    expect(document.predictions).toHaveLength(1001);
    expect(ended.code, 'one row was refused').toBe(2);
    expect(platform.calls.map((c) => (c.body as { instances: unknown[] }).instances.length)).toEqual([1000, 1]);
  });
});

describe('the outcome of a training', () => {
  it('is 4 when a gate refused the version, and shows the evidence', async () => {
    const gates = [
      { gate: 'quality.auc', passed: false, message: 'AUC 0.61 is below 0.83', evidence: { observed: 0.61 } },
    ];
    const result = { ...TRAINED, kind: 'rejected', gates: [...GATES, ...gates] };
    const ended = await against(
      { ...STARTED_TRAINING, 'GET /models/churn/train': training({ status: 'completed', result }) },
      ['train', 'churn'],
    );
    expect(ended.stdout).toMatch(
      /rejected by its gates[\s\S]*✗ quality\.auc {2}AUC 0\.61 is below 0\.83\n +observed 0\.61/,
    );
    expect(ended.stdout).toContain('Next: sluice models show churn --version 3');
    expect(ended.code).toBe(4);
  });

  it('is 4 when the data cannot be trained on, with every finding', async () => {
    const finding = {
      check: 'leakage',
      severity: 'error',
      column: 'refund',
      message: 'tells the target',
      evidence: {},
    };
    const report = { rows: 10, columns: 3, positives: 2, findings: [finding], ok: false };
    const result = { kind: 'dataInvalid', model: 'churn', report };
    const ended = await against(
      { ...STARTED_TRAINING, 'GET /models/churn/train': training({ status: 'completed', result }) },
      ['train', 'churn'],
    );
    expect(ended.stdout).toMatch(/cannot be trained on[\s\S]*error +leakage +refund +tells the target/);
    expect(ended.code).toBe(4);
  });

  it('tells what was left out', async () => {
    const result = { ...TRAINED, notes: ['age: integer, 18 to 95 in the data', "LightGBM's library: not found"] };
    const ended = await against(
      { ...STARTED_TRAINING, 'GET /models/churn/train': training({ status: 'completed', result }) },
      ['train', 'churn'],
    );
    expect(ended.stdout).toContain("note: LightGBM's library: not found");
    expect(ended.stdout, 'what was inferred for each feature is told elsewhere').not.toContain('note: age');
  });

  it('is 1 when the training broke, with its reason', async () => {
    const ended = await against(
      { ...STARTED_TRAINING, 'GET /models/churn/train': training({ status: 'failed', failure: 'out of memory' }) },
      ['train', 'churn'],
    );
    expect(ended.stderr).toContain('The training of churn failed: out of memory');
    expect(ended.code).toBe(1);
  });

  it('shows each change of the progress on its own line where there is no terminal', async () => {
    const at = (stage: string, message: string, detail: object | null = null) =>
      training({ progress: { stage, done: 1, total: 7, message, startedAtMs: Date.now(), detail } });
    const detail = { stage: 'cross-validation', done: 2, total: 5, message: 'fold 2 of 5' };
    const ended = await against(
      {
        ...STARTED_TRAINING,
        'GET /models/churn/train': [
          at('check', 'looking at the data'),
          at('train', 'training', detail),
          at('train', 'training', detail),
          training({ status: 'completed', result: TRAINED }),
        ],
      },
      ['train', 'churn'],
    );
    const shown = ended.stderr
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/ {2}\(.*\)$/, ''));
    expect(shown).toEqual(['churn: check: looking at the data', 'churn: train: fold 2 of 5']);
  });
});
