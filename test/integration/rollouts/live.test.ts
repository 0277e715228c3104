/**
 * Whole rollouts on real parts, under load: a worker process, an API with two serving processes, and versions that are
 * bad in their own ways. Nobody steers: every one of these ends by itself.
 */
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { startLivePlatform } from '../../../bench/rollout/live-platform.ts';
import type { LivePlatform, RolloutOrder, RolloutView } from '../../../bench/rollout/live-platform.ts';
import { entityOf, startUsers } from '../../../bench/rollout/user-load.ts';
import type { UserAnswer, UserLoad } from '../../../bench/rollout/user-load.ts';
import { until } from '../../../bench/faults/tell.ts';
import { migrate } from '../../../db/migrate.ts';
import type { LedgerEntry } from '../../../db/rollout-ports.ts';
import type { Verdict } from '../../../domain/verdict.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';
import { tinyModel, type TinyModelOptions } from '../../support/tiny-model.ts';
import { definition } from '../db/fixture.ts';

const PER_SECOND = 40;
/** Quiet: ten seconds. The machine may be shared. */
const ENDS_WITHIN_MS = 120_000;
/** From the verdict to the last answer of a version that had to go; 2 s is the bar of the bench. */
const GONE_WITHIN_MS = 10_000;
const TEST_MS = ENDS_WITHIN_MS + 30_000;

const suffix = Date.now().toString(36);
let database: TestDatabase;
let platform: LivePlatform;

beforeAll(async () => {
  database = await createTestDatabase();
  await migrate(database.databaseUrl);
  const { databaseUrl } = database;
  platform = await startLivePlatform({
    databaseUrl,
    temporalAddress: inject('TEMPORAL_ADDRESS'),
    cacheDir: testCacheDir(),
  });
});
afterAll(async () => {
  await platform.stop();
  await database.drop();
});

const good = { weights: [0], bias: 0.3, link: 'identity' } as const;
/** Of ten users one: 0.15 + 0.1 * 9 is no probability. */
const erring = { weights: [0.1], bias: 0.15, link: 'identity' } as const;
const slow = { ...good, burns: 700 };

/** Generous: what a shared machine does to the times must not decide. */
const common = { observeEveryMs: 500, keepWarmMs: 1_000, minRequests: 50, warmUpRequests: 10 };
const patient = { errorRateMax: 0.03, p95MsMax: 5_000 };
const steps = [
  { weightPercent: 30, bakeTimeMs: 1_000 },
  { weightPercent: 100, bakeTimeMs: 0 },
];

interface Story {
  readonly model: string;
  readonly rollout: RolloutView;
  readonly answers: readonly UserAnswer[];
  readonly ledger: readonly LedgerEntry[];
}

/** Runs a rollout of `candidate` against the good champion to its end, under load. */
async function runRollout(
  name: string,
  candidate: TinyModelOptions,
  order: RolloutOrder,
  accompany: (load: UserLoad, model: string) => () => Promise<void> = () => () => Promise.resolve(),
): Promise<Story> {
  const model = `${name}-${suffix}`;
  await platform.addModel(definition(model), [tinyModel(good), tinyModel(candidate)]);
  const { port, key } = platform;
  await until('the model to be served', 20_000, () => isServed(model));
  const load = startUsers({ port, key, model, perSecond: PER_SECOND, features: (user) => ({ x: user % 10 }) });
  const leave = accompany(load, model);
  try {
    const id = await platform.start(model, order);
    const rollout = await platform.ended(id, ENDS_WITHIN_MS);
    const after = load.answers.length;
    await until('a second of requests after it', 30_000, () => load.answers.length > after + PER_SECOND);
    const ledger = await platform.registry.ledger.between(model, new Date(0), new Date(Date.now() + 1_000), 100);
    return { model, rollout, answers: load.answers, ledger };
  } finally {
    await leave();
    await load.stop();
  }
}

async function isServed(model: string): Promise<boolean> {
  const { processes } = await platform.call<{ processes: { reasons: string[] }[] }>('GET', '/health/detailed');
  const rows = await platform.registry.instances.serving(model, Date.now() - 15_000);
  return processes.length === 2 && rows.length === 2 && rows.every((row) => row.warmVersions.includes(1));
}

/** The way back in the ledger: who decided it, and on which evidence. */
function wayBack(ledger: readonly LedgerEntry[]): { entry: LedgerEntry; verdict: Verdict } {
  const entry =
    ledger.find((e, i) => i > 0 && e.routes.every((r) => r.version === 1) && e.rolloutId !== null) ?? ledger.at(-1)!;
  return { entry, verdict: entry.evidence! };
}

/** A machine that is short of time for all of this says so, whatever the version: that is not counted here. */
const failures = (answers: readonly UserAnswer[]) =>
  answers.filter((a) => a.status !== 200 && !(a.status === 503 && a.what.includes('overloaded')));

/** Everything that holds after every rollback, whatever was wrong with the version. */
async function expectRolledBack({ model, rollout, answers, ledger }: Story, metric: string): Promise<void> {
  expect(rollout.phase).toBe('rolledBack');
  expect(await platform.registry.versions.find(model, 2)).toMatchObject({ status: 'quarantined' });
  expect(await platform.registry.versions.aliases(model)).toEqual({ champion: 1 });
  const table = await platform.registry.routing.find(model);
  expect(table?.routes).toEqual([{ variant: 'champion', version: 1, weightPercent: 100 }]);
  // Nobody ordered it: the platform did, and it says on which evidence.
  const { entry, verdict } = wayBack(ledger);
  expect(entry.changedBy).toBe('sluice');
  expect(verdict.kind).toBe('rollback');
  const evidence = verdict.evidence.find((e) => e.metric === metric);
  expect(evidence).toMatchObject({ status: 'breached', action: 'rollback' });
  expect(evidence!.eValue).toBeGreaterThanOrEqual(evidence!.threshold);
  // No client saw any of it, and nobody is answered by it any more.
  expect(failures(answers)).toEqual([]);
  const decidedMs = entry.validFrom.getTime() - performance.timeOrigin;
  const lastMs = Math.max(...answers.filter((a) => a.version === 2).map((a) => a.atMs));
  expect(lastMs - decidedMs).toBeLessThan(GONE_WITHIN_MS);
  expect(answers.findLast((a) => a.status === 200)!.version).toBe(1);
}

describe.concurrent('a rollout under load that nobody watches', { timeout: TEST_MS }, () => {
  it('goes back from a version that fails on some rows; the champion answers those', async () => {
    const story = await runRollout('erring', erring, { plan: { ...common, steps, limits: patient } });
    await expectRolledBack(story, 'errorRate');
    const counted = wayBack(story.ledger).verdict.evidence.find((e) => e.metric === 'errorRate')!;
    const failed = counted.observed * counted.sizes!.candidate!;
    const share = failed / story.answers.length;
    console.log(`erring: ${percent(share)} of ${story.answers.length} requests fell on the failing version and failed`);
    // At most all of its share of the traffic, had it never been found out.
    expect(share).toBeLessThan(0.3 * 0.1 * 1.5);
    expect(share).toBeGreaterThan(0);
  });

  it('goes back from a version that is too slow', async () => {
    const limits = { errorRateMax: 0.05, p95MsMax: 2 };
    const story = await runRollout('slow', slow, { plan: { ...common, steps, limits } });
    await expectRolledBack(story, 'p95');
    const slower = story.answers.filter((a) => a.version === 2).length;
    console.log(
      `slow: ${percent(slower / story.answers.length)} of ${story.answers.length} requests were answered slowly`,
    );
  });

  it('goes back from a version whose users buy less', async () => {
    const metrics = [{ metric: 'outcome', event: 'conversion', action: 'rollback', degradationMax: 0.05 }] as const;
    const plan = { ...common, metrics, steps: [{ weightPercent: 50, bakeTimeMs: 1_000 }, steps[1]!], limits: patient };
    const story = await runRollout('unloved', good, { plan }, reportPurchases);
    await expectRolledBack(story, 'outcome');
  });

  it('promotes a version on evidence, step by step', async () => {
    const plan = {
      ...common,
      steps: [{ weightPercent: 20, bakeTimeMs: 1_000 }, { weightPercent: 50, bakeTimeMs: 1_000 }, steps[1]!],
      limits: { errorRateMax: 0.05, p95MsMax: 5_000 },
    };
    const { model, rollout, answers, ledger } = await runRollout('welcome', good, { plan });
    expect(rollout.phase).toBe('promoted');
    expect(await platform.registry.versions.aliases(model)).toEqual({ champion: 2, previous: 1 });
    expect(failures(answers)).toEqual([]);
    expect(answers.findLast((a) => a.status === 200)!.version).toBe(2);
    const weights = ledger.map((e) =>
      e.routes.filter((r) => r.version === 2).reduce((sum, r) => sum + r.weightPercent, 0),
    );
    expect(weights.filter((weight, i) => weight !== weights[i - 1])).toEqual([0, 20, 50, 100]);
    for (const entry of ledger.filter((_, i) => weights[i]! >= 50)) expect(entry.evidence?.kind).toBe('healthy');
    // While weights grow, no user who has met the new version meets the old one again: users ask once here, so the
    // shares tell that each step was really split.
    const variants = new Set(answers.map((a) => a.variant));
    expect([...variants].sort()).toEqual(['baseline', 'candidate', 'champion']);
  });

  it('asks a shadow beside every answer, finds it out by pairs, and no client ever sees it', async () => {
    const plan = { ...common, mirrorPercent: 100, steps: [{ weightPercent: 0, bakeTimeMs: 1_000 }], limits: patient };
    const story = await runRollout('shadowed', erring, { strategy: 'shadow', plan });
    expect(story.rollout.phase).toBe('rolledBack');
    expect(failures(story.answers).length === 0 && !story.answers.some((a) => a.version === 2)).toBe(true);
    expect(story.rollout.snapshot?.samples?.shadowPairs).toBeGreaterThan(0);
    const { verdict } = wayBack(story.ledger);
    expect(verdict.evidence.find((e) => e.metric === 'shadowErrors')).toMatchObject({ status: 'breached' });
  });
});

describe('POST /rollouts', () => {
  const slowPlan = { ...common, steps: [{ weightPercent: 30, bakeTimeMs: 3_600_000 }, steps[1]!], limits: patient };
  interface Answer {
    readonly status: number;
    readonly body: { rollout_id?: string; detail?: string; problems?: { field: string }[] };
  }
  async function post(path: string, body: object): Promise<Answer> {
    const response = await fetch(`http://127.0.0.1:${platform.port}${path}`, {
      method: 'POST',
      headers: { 'x-api-key': platform.key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Answer['body'] };
  }

  it('opens one of many that come at once, names it to the others, and shows it to whoever asks then', async () => {
    const model = `rivals-${suffix}`;
    await platform.addModel(definition(model), [tinyModel(good), tinyModel(good)]);
    await until('the model to be served', 20_000, () => isServed(model));
    const order = { model, version: 2, plan: slowPlan };
    const answers = await Promise.all(
      Array.from({ length: 6 }, async () => {
        const answer = await post('/rollouts', order);
        // Asked at once, by each on its own: the new rollout is there, and no other.
        const shown = await platform.call<RolloutView>('GET', `/rollouts/${model}`);
        return { ...answer, shown };
      }),
    );
    const started = answers.filter((a) => a.status === 202);
    expect(started).toHaveLength(1);
    const id = started[0]!.body.rollout_id;
    for (const { status, body, shown } of answers) {
      expect(shown.id).toBe(id);
      if (status === 202) continue;
      expect(status).toBe(409);
      expect(body.detail).toContain(id);
    }
    expect(await platform.registry.rollouts.list({ model, limit: 10 })).toHaveLength(1);
    expect((await post(`/rollouts/${id}/abort`, { reason: 'the test is over' })).status).toBe(200);
    const again = await post('/rollouts', order);
    expect([again.status, again.body.detail]).toEqual([409, expect.stringContaining('quarantined')]);
  });

  it('lists everything that is wrong with a plan, and starts nothing', async () => {
    const model = `wrong-${suffix}`;
    await platform.addModel(definition(model), [tinyModel(good), tinyModel(good)]);
    const plan = { steps: [{ weightPercent: 50, bakeTimeMs: -1 }], minRequests: -1, observeEveryMs: 1, alpha: 0.5 };
    const { status, body } = await post('/rollouts', { model, version: 2, plan });
    expect(status).toBe(422);
    const wrong = ['steps[0].bakeTimeMs', 'steps', 'minRequests', 'observeEveryMs', 'alpha'];
    expect(body.problems?.map((p) => p.field)).toEqual(wrong.map((field) => `plan.${field}`));
    expect(await platform.registry.rollouts.list({ model, limit: 10 })).toEqual([]);
  });
});

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

/** Seven of ten users of the old version buy, two of ten of the new one; told once a second, as a shop would. */
function reportPurchases(load: UserLoad, model: string): () => Promise<void> {
  let bought: { model: string; event: string; entity_id: string }[] = [];
  load.onAnswer = ({ user, version, status }) => {
    const buys = version === 2 ? 2 : 7;
    if (status === 200 && (user * 7) % 10 < buys)
      bought.push({ model, event: 'conversion', entity_id: entityOf(user) });
  };
  let reporting = Promise.resolve();
  const timer = setInterval(() => {
    const outcomes = bought;
    bought = [];
    if (outcomes.length > 0) reporting = reporting.then(() => platform.call('POST', '/outcomes', { outcomes }));
  }, 1_000);
  return async () => {
    clearInterval(timer);
    await reporting;
  };
}
