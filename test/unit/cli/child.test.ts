import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  DEFINITION,
  GATES,
  HEALTH,
  KEY,
  MODEL,
  PREDICTION,
  rollout,
  ROLLOUT_ID,
  SIGNATURE,
  snapshot,
  TRAINED,
  version,
} from './support/answers.ts';
import { type FakePlatform, ok, problem, startFakePlatform } from './support/fake-platform.ts';
import { emptyFolder, runChild } from './support/run-cli.ts';

const STARTED = { rollout_id: 'r2', workflow_id: 'rollout/churn', run_id: 'run-2' };

let platform: FakePlatform;
const folder = emptyFolder();

beforeAll(async () => {
  platform = await startFakePlatform({
    'GET /health/detailed': ok(HEALTH),
    'GET /models': ok({ models: [MODEL] }),
    'POST /models': ok({ name: 'shop', definition_digest: 'd', updated_at: '2026-03-01T09:30:00.000Z' }),
    'GET /models/churn': ok({ ...MODEL, definition: DEFINITION }),
    'GET /models/churn/versions': ok({ versions: [version(2), version(1, { aliases: ['champion'] })] }),
    'GET /models/churn/versions/1': ok({
      model: 'churn',
      ...version(1),
      signature: SIGNATURE,
      gates: { passed: true, results: GATES, performance: {}, created_at: '2026-03-01T09:30:00.000Z' },
    }),
    'POST /models/churn/train': ok({ workflow_id: 'train/churn', run_id: 'run-1' }, 202),
    'GET /models/churn/train': ok({
      workflow_id: 'train/churn',
      run_id: 'run-1',
      status: 'completed',
      progress: null,
      result: TRAINED,
      failure: null,
    }),
    'POST /rollouts': ok(STARTED, 202),
    'GET /rollouts': ok({ rollouts: [rollout()] }),
    'GET /rollouts/churn': ok(rollout()),
    [`GET /rollouts/${ROLLOUT_ID}`]: [ok(rollout()), ok(rollout({ phase: 'promoted' }))],
    'POST /rollouts/churn/promote': ok({ applied: 'promote', status: snapshot() }),
    'POST /rollouts/churn/pause': ok({ applied: 'pause', status: snapshot({ phase: 'paused', stepEndsAtMs: null }) }),
    'POST /rollouts/churn/resume': ok({ applied: 'resume', status: snapshot() }),
    'POST /rollouts/churn/abort': ok({ applied: 'abort', status: snapshot({ phase: 'aborted' }) }),
    'POST /rollouts/churn/rollback': ok({ applied: 'rollback', status: null, version: 1, ...STARTED }, 202),
    'POST /models/churn/predict': ok(PREDICTION),
    'POST /predict/batch': ok({
      request_id: 'r',
      model: 'churn',
      predictions: [PREDICTION, PREDICTION],
      latency_ms: 1,
    }),
    'POST /feedback': ok({ accepted: true, matched: 1 }),
    'POST /keys': ok({ ...KEY, expires_at: null, key: 'sk_live_secret' }, 201),
    'GET /keys': ok({ keys: [{ ...KEY, created_at: '2026-03-01T09:30:00.000Z', expires_at: null, revoked_at: null }] }),
    'DELETE /keys/k1': ok(null, 204),
    'GET /audit': ok({ entries: [] }),
    'POST /models/closed/train': problem(403, 'forbidden', 'The key may not do this'),
  });
  writeFileSync(join(folder, 'rows.jsonl'), '{"age": 41, "plan": "pro"}\n{"age": 22, "plan": "basic"}\n');
  writeFileSync(join(folder, 'model.yaml'), 'name: shop\ndata: shop.csv\ntarget: { column: left, positive: yes }\n');
  writeFileSync(join(folder, 'shop.csv'), `id,visits,left\n${rowsOfShop()}`);
});
afterAll(() => platform.close());

function rowsOfShop(): string {
  return Array.from({ length: 60 }, (_, i) => `c${i},${(i * 7) % 23},${i % 3 === 0 ? 'yes' : 'no'}`).join('\n');
}

const surroundings = () => ({ cwd: folder, env: { SLUICE_API_URL: platform.url, SLUICE_API_KEY: 'sk_live_test' } });

/** Every command of the program, as a shell runs it. */
const COMMANDS: readonly (readonly [string, RegExp])[] = [
  ['status', /Serving[\s\S]*churn +v1 +champion +90 %[\s\S]*Open rollouts[\s\S]*postgres +up/],
  ['init shop.csv --target left --name shop --out drafted.yaml --force', /Wrote drafted\.yaml[\s\S]*left = yes/],
  [
    'train churn',
    /churn version 3 \(spline-logistic\): accepted[\s\S]*AUC +0\.8512[\s\S]*quality\.auc[\s\S]*Next: sluice rollout start churn --version 3/,
  ],
  ['models list', /churn +2 +champion v1, candidate v2 +v1 90 %, v2 10 %/],
  ['models show churn', /left = yes[\s\S]*2 +accepted/],
  [
    'models show churn --version 1',
    /churn version 1 +accepted[\s\S]*cross-validated log loss[\s\S]*age +integer +18 \.\. 95/,
  ],
  ['models apply model.yaml', /shop is defined by model\.yaml/],
  ['rollout start churn', /Rolling out churn version 2/],
  ['rollout status churn', /rollout of version 2, against version 1[\s\S]*e-value 14\.14 of 200/],
  ['rollout watch churn', /running {2}step 1\/3/],
  ['rollout list', /churn +2 +canary +running +10 %/],
  ['rollout promote churn --reason ready', /promote applied/],
  ['rollout pause churn', /pause applied[\s\S]*waits for a person/],
  ['rollout resume churn', /resume applied/],
  ['rollout abort churn', /abort applied/],
  ['rollout rollback churn', /a new one gives all traffic back to version 1/],
  ['predict churn --features {"age":41}', /label +yes[\s\S]*0\.7123/],
  ['predict churn --file rows.jsonl', /1 +yes +0\.7123 +high +v1[\s\S]*2 +yes/],
  ['feedback --request 1b4e28ba-2fa1-4d3a-883f-0016d3cca427 --label yes', /speaks of 1 prediction/],
  ['keys create shop --permission predict,monitor', /sk_live_secret/],
  ['keys list', /shop +sk_live_a1B2/],
  ['keys revoke k1', /Key k1 is revoked/],
];

/** A process takes a second to start, and several on a busy machine. */
const TIMEOUT_MS = 90_000;

describe('every command, as a process of its own', { timeout: TIMEOUT_MS }, () => {
  it.concurrent.each(COMMANDS)('`sluice %s` answers a person', async (line, expected) => {
    const ended = await runChild(line.split(' '), surroundings());
    expect(ended.stderr.replace(/^Features: .*\n/, '')).not.toContain('✗');
    expect(ended.stdout).toMatch(expected);
    expect(ended.code).toBe(0);
    expect(ended.stdout, 'a pipe gets no colours').not.toContain('\u001b');
  });

  it.concurrent('ends with 3 and says how to start the platform when nobody listens', async () => {
    const ended = await runChild(['status'], { env: { SLUICE_API_URL: 'http://127.0.0.1:1' } });
    expect(ended).toMatchObject({ code: 3, stdout: '' });
    expect(ended.stderr).toMatch(/No platform answers at http:\/\/127\.0\.0\.1:1[\s\S]*npm start/);
  });

  it.concurrent('ends with 2 on an unknown option and names the one that was meant', async () => {
    const ended = await runChild(['models', 'list', '--jsn'], surroundings());
    expect(ended).toMatchObject({ code: 2, stdout: '' });
    expect(ended.stderr).toContain('unknown option');
    expect(ended.stderr).toContain('--json');
  });

  it.concurrent('ends with 4 when the key lacks a permission', async () => {
    const ended = await runChild(['train', 'closed', '--json'], surroundings());
    expect(ended).toMatchObject({ code: 4, stdout: '' });
    const document = JSON.parse(ended.stderr) as { error: { code: string; hint: string } };
    expect(document.error.code).toBe('forbidden');
    expect(document.error.hint).toContain('sluice keys create');
  });

  it.concurrent('reads a row from standard input', async () => {
    const ended = await runChild(['predict', 'churn', '--file', '-', '--json'], {
      ...surroundings(),
      stdin: '{"entity_id": 7, "features": {"age": 30}}',
    });
    expect(JSON.parse(ended.stdout)).toMatchObject({ label: 'yes' });
    expect(platform.calls.some((c) => JSON.stringify(c.body) === '{"entity_id":"7","features":{"age":30}}')).toBe(true);
  });
});
