/** Bad versions under load on a whole platform: how fast each is found out, and what they cost. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readConfig } from '../adapters/config.ts';
import { migrate } from '../db/migrate.ts';
import type { PlanOverrides } from '../domain/rollout/plan.ts';
import { startPostgres } from '../infra/embedded/postgres.ts';
import { startTemporal } from '../infra/embedded/temporal.ts';
import { startKeeper } from '../infra/processes/keeper-client.ts';
import { tinyModel, type TinyModelOptions } from '../test/support/tiny-model.ts';
import type { Bench, Figure } from './bench.ts';
import { until } from './faults/tell.ts';
import { liveDefinition } from './rollout/live-definition.ts';
import { startLivePlatform } from './rollout/live-platform.ts';
import type { LivePlatform } from './rollout/live-platform.ts';
import { startUsers } from './rollout/user-load.ts';
import type { UserAnswer } from './rollout/user-load.ts';

const PER_SECOND = 200;
const PROCESSES = 2;
const ENDS_WITHIN_MS = 180_000;
const RUNS = 3;
const LOOKS_MAX = 10_000;
/** As the issue asks: from the verdict to the last answer of the version that had to go, in every process. */
const GONE_WITHIN_MS = 2_000;

type Log = (line: string) => void;

const good = { weights: [0], bias: 0.3, link: 'identity' } as const;
/** Of users 0 to 99 so many get an answer above 1, which is no probability. */
const erring = (percent: number): TinyModelOptions => {
  return { weights: [0.01], bias: 1.005 - 0.01 * (100 - percent), link: 'identity', golden: [{ x: 50 }] };
};

const CANDIDATES: readonly {
  /** For `--part`. */
  readonly id: string;
  readonly name: string;
  readonly candidate: TinyModelOptions;
  readonly p95MsMax: number;
}[] = [
  { id: 'errors-2', name: '2 % of its requests fail', candidate: erring(2), p95MsMax: 5_000 },
  { id: 'errors-20', name: '20 % of its requests fail', candidate: erring(20), p95MsMax: 5_000 },
  { id: 'slow', name: 'too slow', candidate: { ...good, burns: 900 }, p95MsMax: 3 },
];

/** The default canary's first step and limits, looked at as often as its guide says. */
const plan = (p95MsMax: number): PlanOverrides => ({
  steps: [
    { weightPercent: 5, bakeTimeMs: 60_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax },
  minRequests: 100,
  observeEveryMs: 1_000,
  keepWarmMs: 1_000,
});

interface Run {
  /** From the candidate's first request to the look with the verdict. */
  readonly foundMs: number;
  /** From that look to the last answer of the version: the verdict, the workflow's step, the change of the weights. */
  readonly goneMs: number;
  /** Of all requests of the run until it was gone, those that the version failed on or answered slowly. */
  readonly harmedShare: number;
  readonly clientFailures: number;
  /** What the first of them heard; `null`: none failed. */
  readonly firstFailure: Pick<UserAnswer, 'status' | 'what'> | null;
}

async function rollOut(platform: LivePlatform, model: string, what: (typeof CANDIDATES)[number]): Promise<Run> {
  const { port, key } = platform;
  await platform.addModel(liveDefinition(model), [tinyModel(good), tinyModel(what.candidate)]);
  await until('the model to be served', 30_000, async () => {
    const rows = await platform.registry.instances.serving(model, Date.now() - 15_000);
    return rows.length === PROCESSES && rows.every((row) => row.warmVersions.includes(1));
  });
  const load = startUsers({ port, key, model, perSecond: PER_SECOND, features: (user) => ({ x: user % 100 }) });
  try {
    await pause(1_000);
    const id = await platform.start(model, { plan: plan(what.p95MsMax) });
    const { phase, snapshot } = await platform.ended(id, ENDS_WITHIN_MS);
    if (phase !== 'rolledBack') throw new Error(`${what.name}: ${phase} ${JSON.stringify(snapshot)}`);
    // Answers of before the change may still be on their way.
    await pause(3_000);
    const [first] = await platform.registry.ledger.ofRollout(model, id);
    const looks = await platform.registry.looks.list(id, LOOKS_MAX);
    const last = looks.find((look) => look.verdict.kind === 'rollback');
    if (first === undefined || last === undefined) throw new Error(`${what.name}: no look tells of the rollback`);
    const { errors = 0, slow = 0 } = last.counts['candidate'] ?? {};
    return tell(load.answers, last.lookAtMs, first.validFrom.getTime(), errors + slow);
  } finally {
    await load.stop();
  }
}

function tell(answers: readonly UserAnswer[], verdictAtMs: number, beganAtMs: number, harmed: number): Run {
  const clock = (epochMs: number): number => epochMs - performance.timeOrigin;
  const byCandidate = answers.filter((a) => a.version === 2);
  const firstMs = byCandidate.reduce((least, a) => Math.min(least, a.dueMs), clock(verdictAtMs));
  const lastMs = byCandidate.reduce((most, a) => Math.max(most, a.atMs), clock(verdictAtMs));
  const during = answers.filter((a) => a.dueMs >= clock(beganAtMs) && a.dueMs <= lastMs).length;
  const failed = answers.filter((a) => a.status !== 200);
  const [first] = failed;
  return {
    foundMs: clock(verdictAtMs) - firstMs,
    goneMs: lastMs - clock(verdictAtMs),
    harmedShare: harmed / Math.max(1, during),
    clientFailures: failed.length,
    firstFailure: first === undefined ? null : { status: first.status, what: first.what },
  };
}

async function withPlatform<T>(log: Log, work: (platform: LivePlatform) => Promise<T>): Promise<T> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-rollout-live-'));
  // The embedded server runs as another user when this one is root: it must reach its folder.
  await chmod(home, 0o755);
  const { cacheDir } = readConfig();
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  const cleanups: (() => Promise<unknown>)[] = [
    () => rm(home, { recursive: true, force: true }),
    () => keeper.release(),
  ];
  try {
    log('starting Postgres, Temporal, a worker and an API');
    const postgres = await startPostgres({ home, keeper, port: 0 });
    cleanups.push(() => postgres.process.stop());
    const temporal = await startTemporal({ home, keeper, cacheDir, port: 0, uiPort: 0 });
    cleanups.push(() => temporal.process.stop());
    const { databaseUrl } = postgres;
    await migrate(databaseUrl);
    const { address: temporalAddress } = temporal;
    const platform = await startLivePlatform({ databaseUrl, temporalAddress, cacheDir, processes: PROCESSES });
    cleanups.push(() => platform.stop());
    return await work(platform);
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
const most = (name: string, value: number, unit: string, bar: number | null): Figure => {
  return { name, value, unit, bar, better: 'lower' };
};

/** A canary at its first step, 5 % of 200 requests a second. */
export const rolloutLive: Bench = {
  description:
    'bad versions under load: time to the verdict, to the last bad answer, share of requests harmed [--part NAME]',
  run: (log, { part }) => {
    const chosen = CANDIDATES.filter(({ id }) => part === undefined || id === part);
    if (chosen.length === 0) throw new Error(`--part is one of: ${CANDIDATES.map(({ id }) => id).join(', ')}`);
    return withPlatform(log, async (platform) => {
      const figures: Figure[] = [];
      for (const what of chosen) {
        const runs: Run[] = [];
        for (let n = 0; n < RUNS; n++) {
          const run = await rollOut(platform, `${what.id}-${n}`, what);
          log(`${what.name}: ${JSON.stringify(run)}`);
          runs.push(run);
        }
        const of = (pick: (run: Run) => number): readonly number[] => runs.map(pick);
        figures.push(
          most(`${what.name}: first request to verdict, median`, median(of((r) => r.foundMs)) / 1_000, 's', 60),
          most(
            `${what.name}: verdict to its last answer, worst`,
            Math.max(...of((r) => r.goneMs)),
            'ms',
            GONE_WITHIN_MS,
          ),
          most(`${what.name}: requests harmed, median`, median(of((r) => r.harmedShare)) * 100, '%', 5),
          most(
            `${what.name}: requests that failed for a client`,
            of((r) => r.clientFailures).reduce((a, b) => a + b),
            '',
            0,
          ),
        );
      }
      return figures;
    });
  },
};
