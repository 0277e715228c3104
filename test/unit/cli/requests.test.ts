import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { AUDIT, HEALTH, MODEL, PREDICTION, rollout, SIGNATURE, version } from './support/answers.ts';
import { type FakePlatform, ok, problem, type Reply, startFakePlatform } from './support/fake-platform.ts';
import { emptyFolder, runInside, type Surroundings } from './support/run-cli.ts';

let platform: FakePlatform | null = null;
afterEach(async () => {
  await platform?.close();
  platform = null;
});

async function against(
  routes: Readonly<Record<string, Reply | readonly Reply[]>>,
  line: readonly string[],
  around: Surroundings = {},
) {
  platform = await startFakePlatform(routes);
  return runInside(line, {
    ...around,
    env: { SLUICE_API_URL: platform.url, SLUICE_API_KEY: 'sk_live_test', ...around.env },
  });
}

const posted = (path: string): unknown => platform?.calls.find((c) => c.method === 'POST' && c.path === path)?.body;

describe('where the platform is and which key it gets', () => {
  function homeOf(url: string): string {
    const home = emptyFolder();
    mkdirSync(join(home, 'run'));
    writeFileSync(join(home, 'run', 'platform.json'), JSON.stringify({ pid: 1, api: { url } }));
    writeFileSync(join(home, 'first-key'), 'sk_live_first\n');
    return home;
  }

  it('finds the platform of this machine and its first key', async () => {
    platform = await startFakePlatform({ 'GET /keys': ok({ keys: [] }) });
    const ended = await runInside(['keys', 'list'], { env: { SLUICE_HOME: homeOf(platform.url) } });
    expect(ended.code).toBe(0);
    expect(platform.calls).toMatchObject([{ path: '/keys', key: 'sk_live_first' }]);
  });

  it('takes --url and --key before everything else', async () => {
    platform = await startFakePlatform({ 'GET /keys': ok({ keys: [] }) });
    const env = {
      SLUICE_HOME: homeOf('http://127.0.0.1:1'),
      SLUICE_API_URL: 'http://127.0.0.1:2',
      SLUICE_API_KEY: 'sk_live_env',
    };
    await runInside(['keys', 'list', '--url', platform.url, '--key', 'sk_live_given'], { env });
    expect(platform.calls).toMatchObject([{ key: 'sk_live_given' }]);
  });

  it('never shows the first key to another machine', async () => {
    const { locatePlatform } = await import('../../../cli/api/locate-platform.ts');
    const { readSettings } = await import('../../../cli/settings.ts');
    const settings = readSettings({ SLUICE_HOME: homeOf('http://127.0.0.1:1') });
    const at = (url: string) => locatePlatform(settings, { url });
    expect(await at('https://sluice.example')).toEqual({ url: 'https://sluice.example', key: null });
    expect(await at('http://127.0.0.1.evil.example')).toMatchObject({ key: null });
    expect(await at('http://localhost:9')).toMatchObject({ key: 'sk_live_first' });
  });

  it('says which settings of the environment cannot be used, all at once', async () => {
    const ended = await runInside(['status'], { env: { SLUICE_API_URL: 'localhost', SLUICE_PORT: 'http' } });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/SLUICE_API_URL: expected http[\s\S]*SLUICE_PORT: /);
  });
});

describe('what goes wrong on the way', () => {
  it('hints at the key on 401', async () => {
    const ended = await against({ 'GET /keys': problem(401, 'unauthenticated', 'An API key is required') }, [
      'keys',
      'list',
    ]);
    expect(ended.stderr).toMatch(/An API key is required\n.*unknown, expired or revoked/);
    expect(ended.code).toBe(4);
  });

  it('prints every problem on a line of its own', async () => {
    const problems = [
      { field: 'plan.steps', message: 'the last step is not the one of 100 %' },
      { field: 'plan.minRequests', message: '-1 is not in the allowed range', allowed: ['0..1000'] },
    ];
    const routes = { 'POST /rollouts': problem(422, 'invalidInput', 'The plan cannot be rolled out', problems) };
    const ended = await against(routes, ['rollout', 'start', 'churn', '--version', '2']);
    expect(ended.stderr).toBe(
      '✗ The plan cannot be rolled out\n  plan.steps: the last step is not the one of 100 %\n' +
        '  plan.minRequests: -1 is not in the allowed range (allowed: 0..1000)\n',
    );
    expect(ended.code).toBe(2);
  });

  it('ends with 4 on a conflict', async () => {
    const routes = { 'POST /rollouts': problem(409, 'conflict', 'Rollout x of churn is open') };
    expect(await against(routes, ['rollout', 'start', 'churn', '--version', '2'])).toMatchObject({ code: 4 });
  });

  it('ends with 3 when the platform is there but not able', async () => {
    const routes = { 'GET /keys': problem(503, 'unavailable', 'The registry does not answer') };
    expect(await against(routes, ['keys', 'list'])).toMatchObject({ code: 3 });
  });

  it('recognises a server that is not the platform', async () => {
    const ended = await against({ 'GET /keys': { status: 200, body: null, raw: '<html>' } }, ['keys', 'list']);
    expect(ended.stderr).toContain('something that is not JSON');
    expect(ended.code).toBe(1);
  });
});

describe('sluice train', () => {
  const ACCEPTED = { 'POST /models/shop/train': ok({ workflow_id: 'train/shop', run_id: 'r' }, 202) };

  it('applies a definition first, with an absolute path of the data', async () => {
    const folder = emptyFolder();
    const file = join(folder, 'model.yaml');
    writeFileSync(file, 'name: shop\ndata: shop.csv\ntarget: { column: left, positive: yes }\n');
    const line = [
      'train',
      file,
      '--no-wait',
      '--seed',
      '7',
      '--rollout',
      'blue-green',
      '--algorithm',
      'spline-logistic',
    ];
    const ended = await against({ ...ACCEPTED, 'POST /models': ok({}) }, line);
    expect(ended.code).toBe(0);
    expect(posted('/models')).toMatchObject({
      definition: { name: 'shop', data: { source: join(folder, 'shop.csv') } },
    });
    const input = { seed: 7, algorithms: ['spline-logistic'], rollout: { strategy: 'blue-green' } };
    expect(posted('/models/shop/train')).toEqual(input);
  });

  it('asks for the rollout of the definition with a bare --rollout', async () => {
    await against(ACCEPTED, ['train', 'shop', '--no-wait', '--rollout']);
    expect(posted('/models/shop/train')).toEqual({ rollout: true });
  });

  it('names every problem of a definition with its line, and sends nothing', async () => {
    const file = join(emptyFolder(), 'model.yaml');
    writeFileSync(file, 'name: Shop!\ndata: shop.csv\ntarget: { column: left, positive: yes }\ntraning: {}\n');
    const ended = await against({}, ['train', file]);
    expect(ended.stderr).toMatch(/name: .*line 1[\s\S]*traning: .*training.*line 4/);
    expect(ended.stderr.match(/did you mean/g), 'no problem is told twice').toHaveLength(1);
    expect(ended.code).toBe(2);
    expect(platform?.calls).toEqual([]);
  });
});

describe('sluice predict', () => {
  const routes = {
    'GET /models': ok({ models: [MODEL] }),
    'GET /models/churn/versions/1': ok({ model: 'churn', ...version(1), signature: SIGNATURE, gates: null }),
    'POST /models/churn/predict': ok({ ...PREDICTION, warnings: [{ field: 'features.age', message: 'is missing' }] }),
    'POST /predict': ok(PREDICTION),
  };

  it("makes a row from the champion's signature with --example, and shows it", async () => {
    const ended = await against(routes, ['predict', 'churn', '--example', '--entity', '4711']);
    const features = { age: 56, price: 5.25, plan: 'basic', paperless: false };
    expect(posted('/models/churn/predict')).toEqual({ features, entity_id: '4711' });
    expect(ended.stderr).toBe(`Features: ${JSON.stringify(features)}\n`);
  });

  it('shows the warnings', async () => {
    const ended = await against(routes, ['predict', 'churn', '--features', '{}']);
    expect(ended.stdout).toContain('warning: features.age: is missing');
  });

  it('leaves the model to the platform when none is named', async () => {
    await against(routes, ['predict', '--features', '{"age":1}']);
    expect(posted('/predict')).toEqual({ features: { age: 1 } });
  });

  it('shows what speaks for and against with --explain', async () => {
    const explanation = {
      base: -1.2,
      logit: 0.9,
      contributions: [
        { feature: 'plan', value: 'basic', contribution: 2 },
        { feature: 'age', value: null, contribution: -0.5 },
      ],
      others: 0.6,
      cost_ms: 0.8,
    };
    const asked = { 'POST /models/churn/predict': ok({ ...PREDICTION, explanation }) };
    const ended = await against(asked, ['predict', 'churn', '--features', '{}', '--explain', '--top', '2']);
    expect(platform?.calls.at(-1)?.path).toBe('/models/churn/predict?explain=true&top=2');
    expect(ended.stdout).toMatch(/log odds -1.200 on average, \+0.900 here; \+ speaks for yes/);
    expect(ended.stdout).toMatch(/plan +basic +[█#]{20} +\+2.000/);
    expect(ended.stdout).toMatch(/age +missing +[█#]{5}[░.]{15} +-0.500/);
    expect(ended.stdout).toMatch(/all others +[█#]{6}[░.]{14} +\+0.600/);
  });

  it('says why there is no explanation', async () => {
    const explanation = { refused: 'this version was imported' };
    const asked = { 'POST /predict': ok({ ...PREDICTION, explanation }) };
    const ended = await against(asked, ['predict', '--features', '{}', '--explain']);
    expect(ended.stdout).toContain('not explained: this version was imported');
    expect(ended.code).toBe(0);
  });

  it('explains one row only', async () => {
    const ended = await against(routes, ['predict', 'churn', '--explain', '--file', '-'], {
      stdin: '{"a":1}\n{"a":2}',
    });
    expect(ended.code).toBe(2);
    expect(ended.stderr).toContain('--explain takes one row, and there are 2');
  });

  it('names the line of a file that is not JSON', async () => {
    const ended = await runInside(['predict', 'churn', '--file', '-'], { stdin: '{"age":1}\nage=2\n' });
    expect(ended.stderr).toContain('standard input, line 2: not JSON');
    expect(ended.code).toBe(2);
  });

  it.each([['--features', '[1]'], ['--features', 'age=1'], [], ['--file', '/nowhere/rows.json']])(
    'refuses %s %s',
    async (...options) => {
      expect(await runInside(['predict', 'churn', ...options])).toMatchObject({ code: 2, stdout: '' });
    },
  );
});

describe('sluice status', () => {
  it('still shows what serves while the registry is down', async () => {
    const health = {
      ...HEALTH,
      status: 'degraded',
      dependencies: { postgres: { status: 'down', latency_ms: 2000, message: 'no answer within 2000 ms' } },
      models: [{ model: 'churn', ...MODEL.routing }],
      records: { queued: 12, dropped: 0 },
    };
    const down = problem(503, 'unavailable', 'The registry does not answer');
    const ended = await against({ 'GET /health/detailed': ok(health), 'GET /models': down, 'GET /rollouts': down }, [
      'status',
    ]);
    expect(ended.stdout).toMatch(/churn +v1 +champion +90 % +7[\s\S]*postgres +down .*no answer[\s\S]*recorded: 12/);
    expect(ended.code).toBe(1);
  });

  it('says since when and by whose decision', async () => {
    const ended = await against(
      {
        'GET /health/detailed': ok(HEALTH),
        'GET /models': ok({ models: [MODEL] }),
        'GET /rollouts': ok({ rollouts: [rollout({ phase: 'promoted' }, { finished_at: '2026-03-01T10:00:00Z' })] }),
        'GET /audit': ok({ entries: AUDIT }),
      },
      ['status'],
    );
    expect(ended.stdout).toContain('ann: step 1 of 3');
    expect(ended.stdout).not.toContain('Open rollouts');
  });
});

describe('sluice keys and feedback', () => {
  it('turns a lifetime into a time', async () => {
    const key = { id: 'k', name: 'shop', prefix: 'sk', permissions: ['predict'], tier: 'unlimited' };
    const made = { ...key, key: 'sk_live_x', expires_at: null };
    await against({ 'POST /keys': ok(made, 201) }, ['keys', 'create', 'shop', '--expires', '90d']);
    const body = posted('/keys') as { permissions: string[]; expires_at: string };
    expect(body.permissions).toEqual(['predict']);
    expect((Date.parse(body.expires_at) - Date.now()) / 86_400_000).toBeCloseTo(90, 2);
  });

  it('asks for a tier, unlimited where none is named', async () => {
    const key = { id: 'k', name: 'shop', prefix: 'sk', permissions: ['predict'], tier: 'free', key: 'sk_live_x' };
    await against({ 'POST /keys': ok(key, 201) }, ['keys', 'create', 'shop', '--tier', 'free']);
    expect(posted('/keys')).toMatchObject({ tier: 'free' });
    await against({ 'POST /keys': ok(key, 201) }, ['keys', 'create', 'shop']);
    expect(posted('/keys')).toMatchObject({ tier: 'unlimited' });
    const ended = await runInside(['keys', 'create', 'shop', '--tier', 'gold']);
    expect(ended.stderr).toContain('free, basic, premium, enterprise, unlimited');
  });

  it('refuses a permission that does not exist', async () => {
    const ended = await runInside(['keys', 'create', 'shop', '--permission', 'root']);
    expect(ended.stderr).toContain('Allowed: predict, monitor, admin');
  });

  it('sends what is known of the prediction', async () => {
    const line = 'feedback --model churn --entity 4711 --label no --at 2026-03-01T12:00:00+01:00';
    await against({ 'POST /feedback': ok({ accepted: true, matched: 2 }) }, line.split(' '));
    expect(posted('/feedback')).toEqual({
      model: 'churn',
      entity_id: '4711',
      label: 'no',
      occurred_at: '2026-03-01T11:00:00.000Z',
    });
  });

  it('refuses feedback that names no prediction', async () => {
    expect(await runInside(['feedback', '--label', 'yes', '--model', 'churn'])).toMatchObject({ code: 2 });
  });
});
