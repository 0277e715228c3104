/** Every control of a rollout through the front door of a running platform: its API, its CLI, its metrics, and alerts. */
import { expect } from 'vitest';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import { waitFor, type Platform } from '../support/platform.ts';

interface View {
  readonly id: string;
  readonly phase: string;
  readonly reason: string | null;
  readonly finished_at: string | null;
  readonly snapshot: RolloutSnapshot | null;
}

const HOUR_MS = 3_600_000;
/** Nothing ends by itself in the time of a test. */
const PLAN = {
  steps: [
    { weightPercent: 20, bakeTimeMs: HOUR_MS },
    { weightPercent: 50, bakeTimeMs: HOUR_MS },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.5, p95MsMax: 10_000 },
  minRequests: 20,
  advance: 'noHarm',
  observeEveryMs: 500,
  keepWarmMs: HOUR_MS,
};
const WAIT_MS = 30_000;

export interface SteeredModel {
  readonly platform: Platform;
  readonly model: string;
  /** Accepted, and not the champion. */
  readonly version: number;
  /** Answers a few requests of different entities. */
  readonly predictSome: () => Promise<unknown>;
}

function steering({ platform, model, version, predictSome }: SteeredModel) {
  const get = async (): Promise<View> => platform.request<View>('GET', `/rollouts/${model}`);
  const until = (what: string, done: (s: RolloutSnapshot) => boolean) =>
    waitFor(
      async () => {
        const { snapshot } = await get();
        return snapshot !== null && done(snapshot) ? snapshot : null;
      },
      WAIT_MS,
      what,
    );
  /** With requests beside it. */
  const served = async (what: string, done: (s: RolloutSnapshot) => boolean) =>
    waitFor(
      async () => {
        await predictSome();
        const { snapshot } = await get();
        return snapshot !== null && done(snapshot) ? snapshot : null;
      },
      WAIT_MS,
      what,
      50,
    );
  const cli = async (...args: string[]): Promise<void> => {
    const done = await platform.cli(...args, '--reason', 'test', '--json');
    expect(done.code, done.stderr).toBe(0);
  };
  const start = async (): Promise<string> => {
    const order = { model, version, strategy: 'canary', plan: PLAN, reason: 'test' };
    const { rollout_id: id } = await platform.request<{ rollout_id: string }>('POST', '/rollouts', order);
    // Whoever asks at once sees the new one, not the last.
    expect(await get()).toMatchObject({ id, candidate: version });
    return id;
  };

  /** The way back, and what a person does with the version afterwards. */
  async function isSentBack(id: string, reason: RegExp): Promise<void> {
    const ended = await waitFor(
      async () => {
        const view = await get();
        return view.id === id && view.finished_at !== null ? view : null;
      },
      WAIT_MS,
      'the way back',
    );
    expect(ended.phase).toBe('rolledBack');
    expect(ended.reason).toMatch(reason);
    const shown = await platform.request<{ status: string }>('GET', `/models/${model}/versions/${version}`);
    expect(shown.status).toBe('quarantined');
    const refused = await platform.request<{ detail: string }>('POST', '/rollouts', { model, version }, 409);
    expect(refused.detail).toContain('quarantined');
    await cli('models', 'release', model, '--version', String(version));
  }

  return { get, until, served, cli, start, isSentBack };
}

/** Pause, freeze, skip-bake, stop-the-line and promote; then an alert. */
export async function steerByHand(steered: SteeredModel): Promise<void> {
  const { platform, model } = steered;
  const { get, until, served, cli, start, isSentBack } = steering(steered);
  const id = await start();
  await served('evidence', (s) => (s.samples?.step ?? 0) >= 20 && (s.eValues?.length ?? 0) > 0);
  await expectMetricsToAgree(platform, get);
  for (const [command, phase] of [
    ['pause', 'paused'],
    ['resume', 'running'],
    ['freeze', 'frozen'],
    ['resume', 'running'],
  ] as const) {
    await cli('rollout', command, model);
    expect((await get()).snapshot?.phase).toBe(phase);
  }
  await cli('rollout', 'skip-bake', model);
  await until('the next step', (s) => s.weightPercent === 50);
  await cli('stop-the-line', 'on');
  await until('the stop', (s) => s.hold?.kind === 'stopTheLine');
  await cli('rollout', 'skip-bake', model);
  await served('traffic while the line is stopped', (s) => (s.samples?.step ?? 0) >= 20);
  const refused = await platform.request<{ detail: string }>('POST', `/rollouts/${model}/promote`, {}, 409);
  expect(refused.detail).toContain('stop-the-line: test');
  expect((await get()).snapshot?.weightPercent).toBe(50);
  await cli('stop-the-line', 'off');
  await until('the step that was held', (s) => s.phase === 'keepWarm' && s.weightPercent === 100);
  // Even then an alert takes it back; one that is over does nothing.
  const firing = {
    status: 'firing',
    labels: { alertname: 'HighErrorRate', model },
    annotations: { summary: 'users complain' },
  };
  const alerts = [firing, { ...firing, status: 'resolved', labels: { alertname: 'Other' } }];
  const taken = await platform.request('POST', '/triggers/alertmanager', { version: '4', status: 'firing', alerts });
  expect(taken).toEqual({ rollouts: [{ rollout_id: id, model, told: true }] });
  await isSentBack(id, /^alert: HighErrorRate: users complain/);
}

/** A call by the API, one by the CLI, and the order of a person after 100 %. */
export async function sendBackByCalls(steered: SteeredModel): Promise<void> {
  const { platform, model } = steered;
  const { until, cli, start, isSentBack } = steering(steered);
  const first = await start();
  await platform.request('POST', '/triggers', { model, kind: 'security', reason: 'tampered data' });
  await isSentBack(first, /^security: tampered data/);
  const second = await start();
  await cli('trigger', model, '--kind', 'webhook');
  await isSentBack(second, /^webhook: test/);
  const third = await start();
  await cli('rollout', 'promote', model, '--yes');
  await until('100 %', (s) => s.phase === 'keepWarm' && s.weightPercent === 100);
  await cli('rollout', 'rollback', model, '--yes');
  await isSentBack(third, /^rollback by key:/);
}

/** Waits until `/metrics` shows the numbers of `GET /rollouts/{id}`; nothing is asked of the model meanwhile. */
async function expectMetricsToAgree(platform: Platform, get: () => Promise<View>): Promise<void> {
  let missing: readonly string[] = [];
  await waitFor(
    async () => {
      const { snapshot: before } = await get();
      const text = await (await fetch(`${platform.url}/metrics`)).text();
      const lines = new Set(text.split('\n'));
      const { snapshot: after } = await get();
      // Whole seconds of one state: a look in between would compare two.
      if (before === null || JSON.stringify(before.eValues) !== JSON.stringify(after?.eValues)) return false;
      missing = expectedLines(before).filter((line) => !lines.has(line));
      return missing.length === 0;
    },
    WAIT_MS,
    () => `the metrics to show\n${missing.join('\n')}`,
  );
}

function expectedLines(s: RolloutSnapshot): readonly string[] {
  const { model, eValues = [], samples, next } = s;
  const gauge = (name: string, labels: Readonly<Record<string, string>>, value: number): string => {
    const all = Object.entries({ model, ...labels }).map(([k, v]) => `${k}="${v}"`);
    return `rollout_${name}{${all.join(',')}} ${value}`;
  };
  expect(eValues.length).toBeGreaterThan(0);
  expect(samples?.candidate).toBeGreaterThan(0);
  return [
    gauge('phase', { phase: s.phase }, 1),
    ...s.routes.map((r) => gauge('weight_percent', { variant: r.variant }, r.weightPercent)),
    ...eValues.flatMap(({ metric, event = '', eValue, threshold }) => [
      gauge('e_value', { metric, event }, eValue),
      gauge('e_value_threshold', { metric, event }, threshold),
    ]),
    ...(['candidate', 'baseline', 'champion'] as const).map((arm) => gauge('samples', { arm }, samples?.[arm] ?? -1)),
    gauge('step_samples', {}, samples?.step ?? -1),
    gauge('step_samples_min', {}, samples?.stepMin ?? -1),
    ...(s.stepEndsAtMs === null ? [] : [gauge('step_ends_timestamp_seconds', {}, s.stepEndsAtMs / 1000)]),
    gauge('next_action', { action: next?.action ?? '' }, 1),
  ];
}
