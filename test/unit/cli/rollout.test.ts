import { afterEach, describe, expect, it } from 'vitest';
import { visibleLength } from '../../../cli/terminal/text.ts';
import { DEFINITION, MODEL, rollout, ROLLOUT_ID, snapshot, version } from './support/answers.ts';
import { type FakePlatform, ok, problem, type Reply, startFakePlatform } from './support/fake-platform.ts';
import { runInside, type Surroundings } from './support/run-cli.ts';

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

const STARTED = ok({ rollout_id: ROLLOUT_ID, workflow_id: 'rollout/churn', run_id: 'run-2' }, 202);
const posted = (path: string): unknown => platform?.calls.find((c) => c.method === 'POST' && c.path === path)?.body;

describe('sluice rollout start', () => {
  const VERSIONS = [version(5, { status: 'rejected' }), version(4), version(3, { aliases: ['champion'] }), version(2)];

  it('takes the newest accepted version that is not the champion', async () => {
    await against({ 'GET /models/churn/versions': ok({ versions: VERSIONS }), 'POST /rollouts': STARTED }, [
      'rollout',
      'start',
      'churn',
    ]);
    expect(posted('/rollouts')).toEqual({ model: 'churn', version: 4 });
  });

  it('refuses when there is nothing to roll out, and says how to make it', async () => {
    const versions = [version(1, { aliases: ['champion'] })];
    const ended = await against({ 'GET /models/churn/versions': ok({ versions }) }, ['rollout', 'start', 'churn']);
    expect(ended.stderr).toContain('sluice train churn');
    expect(ended.code).toBe(4);
  });

  it("replaces the bake times of the definition's steps below 100 % with --bake", async () => {
    const line =
      'rollout start churn --version 2 --strategy blue-green --bake 1.5s --min-requests 0 --keep-warm 0 --reason why';
    await against(
      { 'GET /models/churn': ok({ ...MODEL, definition: DEFINITION }), 'POST /rollouts': STARTED },
      line.split(' '),
    );
    expect(posted('/rollouts')).toEqual({
      model: 'churn',
      version: 2,
      strategy: 'blue-green',
      plan: {
        steps: [
          { weightPercent: 50, bakeTimeMs: 1500 },
          { weightPercent: 100, bakeTimeMs: 7 },
        ],
        minRequests: 0,
        keepWarmMs: 0,
      },
      reason: 'why',
    });
  });

  it('watches the rollout it started, and not the one before it', async () => {
    const ended = await against(
      {
        'POST /rollouts': STARTED,
        [`GET /rollouts/${ROLLOUT_ID}`]: ok(rollout({ phase: 'promoted', reason: 'every step passed' })),
      },
      ['rollout', 'start', 'churn', '--version', '2', '--watch'],
    );
    expect(ended.stdout).toMatch(/promoted .*every step passed/);
    expect(ended.code).toBe(0);
  });

  it.each(['--version 0', '--version two', '--bake soon', '--strategy fast'])('refuses %s', async (option) => {
    const ended = await runInside(['rollout', 'start', 'churn', ...option.split(' ')]);
    expect(ended).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('sluice rollout watch', () => {
  const watching = (...replies: Reply[]) => ({
    'GET /rollouts/churn': replies[0]!,
    [`GET /rollouts/${ROLLOUT_ID}`]: replies,
  });

  it('ends with 1 when the rollout went back', async () => {
    const ended = await against(watching(ok(rollout({ phase: 'rolledBack', reason: '2 % of 500 requests failed' }))), [
      'rollout',
      'watch',
      'churn',
    ]);
    expect(ended.stdout).toContain('2 % of 500 requests failed');
    expect(ended.code).toBe(1);
  });

  it('stops at 100 % with --until-full', async () => {
    const replies = [ok(rollout()), ok(rollout({ phase: 'keepWarm', weightPercent: 100 }))];
    expect(await against(watching(...replies), ['rollout', 'watch', 'churn', '--until-full'])).toMatchObject({
      code: 0,
    });
  });

  it('bears a platform that restarts', async () => {
    const replies = [ok(rollout()), problem(503, 'unavailable', 'starting'), ok(rollout({ phase: 'promoted' }))];
    const ended = await against(watching(...replies), ['rollout', 'watch', 'churn']);
    expect(ended.stderr).toContain('starting; trying again for 60 s');
    expect(ended.code).toBe(0);
  });

  it('draws in place on a terminal, never wider than it', async () => {
    const replies = [ok(rollout()), ok(rollout({ phase: 'promoted', stepEndsAtMs: null }))];
    const ended = await against(watching(...replies), ['rollout', 'watch', 'churn'], { columns: 60 });
    const [, first = '', second = ''] = ended.stdout.split('\u001b[J');
    const up = first.slice(first.lastIndexOf('\u001b[') + 2, first.lastIndexOf('A\r'));
    const lines = first.slice(0, first.lastIndexOf('\n')).split('\n');
    expect(Number(up), 'the second picture starts where the first one did').toBe(lines.length);
    for (const line of lines) expect(visibleLength(line)).toBeLessThan(60);
    expect(second).toContain('promoted');
  });
});

describe('steering', () => {
  const ABORT = { 'POST /rollouts/churn/abort': ok({ applied: 'abort', status: snapshot({ phase: 'aborted' }) }) };

  it('asks on a terminal, and changes nothing without a yes', async () => {
    const ended = await against(ABORT, ['rollout', 'abort', 'churn'], { columns: 100, stdin: 'n\n' });
    expect(ended.code).toBe(4);
    expect(platform?.calls).toEqual([]);
  });

  it('goes on after a yes', async () => {
    const ended = await against(ABORT, ['rollout', 'abort', 'churn'], { columns: 100, stdin: 'y\n' });
    expect(ended.code).toBe(0);
    expect(posted('/rollouts/churn/abort')).toEqual({});
  });

  it('does not ask with --yes', async () => {
    const ended = await against(ABORT, ['rollout', 'abort', 'churn', '--yes', '--reason', 'test'], { columns: 100 });
    expect(ended.code).toBe(0);
    expect(posted('/rollouts/churn/abort')).toEqual({ reason: 'test' });
  });
});
