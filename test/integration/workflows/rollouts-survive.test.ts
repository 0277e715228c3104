/**
 * Rollouts of every strategy while the worker, the API, Temporal and Postgres are killed with -9, one after the other, in
 * the middle of whatever they do. The moments differ from run to run; the end must not.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startFaultDatabase, type FaultDatabase } from '../../../bench/faults/database.ts';
import { until } from '../../../bench/faults/tell.ts';
import { startLivePlatform, type LivePlatform } from '../../../bench/rollout/live-platform.ts';
import type { PlanOverrides, Strategy } from '../../../domain/rollout/plan.ts';
import { startTemporal, type EmbeddedTemporal } from '../../../infra/embedded/temporal.ts';
import { startKeeper, type Keeper } from '../../../infra/processes/keeper-client.ts';
import { rolloutWorkflowId } from '../../../workflows/messages.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { bundleWorkflows, quiet } from '../../workflow/environment.ts';
import { definition } from '../db/fixture.ts';

/** Quiet: about half a minute. What was under way when a process was killed is tried again after 10 s. */
const ENDS_WITHIN_MS = 100_000;
const BETWEEN_KILLS_MS = 1_000;
const step = (weightPercent: number, bakeTimeMs = 4_000) => ({ weightPercent, bakeTimeMs });
const common = { minRequests: 1, advance: 'noHarm', observeEveryMs: 300, keepWarmMs: 3_000 } as const;

interface Story {
  readonly strategy: Strategy;
  readonly steps: PlanOverrides['steps'];
  readonly errorShare?: number;
  readonly phase: 'promoted' | 'rolledBack' | 'concluded';
  /** The version that serves in the end. */
  readonly serves: number;
}
const STORIES: Readonly<Record<string, Story>> = {
  canary: { strategy: 'canary', steps: [step(10), step(50), step(100)], phase: 'promoted', serves: 2 },
  bluegreen: { strategy: 'blue-green', steps: [step(0), step(50), step(100)], phase: 'promoted', serves: 2 },
  ramp: { strategy: 'launch-ramp', steps: [step(10), step(60), step(100)], phase: 'promoted', serves: 2 },
  shadow: { strategy: 'shadow', steps: [step(0, 10_000)], phase: 'concluded', serves: 1 },
  ab: { strategy: 'ab', steps: [step(50, 10_000), step(100)], phase: 'promoted', serves: 2 },
  once: { strategy: 'all-at-once', steps: [step(100, 10_000)], phase: 'promoted', serves: 2 },
  bad: { strategy: 'canary', steps: [step(50), step(100)], errorShare: 0.5, phase: 'rolledBack', serves: 1 },
};

let home: string;
let keeper: Keeper;
let temporal: EmbeddedTemporal;
let database: FaultDatabase;
let platform: LivePlatform;

beforeAll(async () => {
  quiet();
  home = await mkdtemp(join(tmpdir(), 'sluice-survive-'));
  keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  const services = { home, keeper, cacheDir: testCacheDir(), port: 0, uiPort: 0 };
  [database, temporal] = await Promise.all([startFaultDatabase(), startTemporal(services)]);
  platform = await startLivePlatform({
    databaseUrl: database.url,
    temporalAddress: temporal.address,
    cacheDir: testCacheDir(),
    processes: 1,
  });
});
afterAll(async () => {
  await platform.stop();
  await Promise.all([database.remove(), temporal.process.stop()]);
  await keeper.release();
  await rm(home, { recursive: true, force: true });
});

const KILLS: Readonly<Record<string, () => Promise<void>>> = {
  worker: () => platform.kill('worker'),
  Temporal: async () => {
    process.kill(temporal.process.pid, 'SIGKILL');
    await temporal.process.exited;
    const { port, uiPort } = temporal;
    temporal = await startTemporal({ home, keeper, cacheDir: testCacheDir(), port, uiPort, portsFixed: true });
  },
  Postgres: async () => {
    await database.kill();
    await pause(BETWEEN_KILLS_MS);
    await database.start();
  },
  API: () => platform.kill('api'),
};

/** Requests as the routing of the moment splits them. */
async function answerOnce(name: string, { errorShare = 0 }: Story): Promise<void> {
  const table = await platform.registry.routing.find(name);
  if (table?.rolloutId == null) return;
  const { rolloutId, routes } = table;
  const key = { instance: randomUUID(), model: name, rolloutId, windowStartMs: Date.now() };
  const rows = routes.filter((r) => r.weightPercent > 0);
  await platform.registry.records.saveCounts(
    rows.map(({ variant, version, weightPercent: requests }, sequence) => {
      const errors = variant === 'candidate' ? Math.round(requests * errorShare) : 0;
      return { ...key, sequence, variant, version, requests, errors, slow: 0, latencySumMs: requests };
    }),
  );
  const shadow = routes.find((r) => r.variant === 'shadow');
  if (shadow === undefined) return;
  const sums = { disagreements: 0, shadowErrors: 0, dropped: 0, scoreDiffSum: 0, scoreDiffSumOfSquares: 0 };
  const latency = { latencyDiffSumMs: 0, latencyDiffSumOfSquaresMs: 0 };
  await platform.registry.records.saveShadowCounts([
    { ...key, sequence: 0, version: shadow.version, pairs: 100, ...sums, ...latency },
  ]);
}

function startTraffic(): () => Promise<void> {
  const end = new AbortController();
  const running = (async () => {
    while (!end.signal.aborted) {
      // Nothing is counted while the database is away.
      for (const [name, story] of Object.entries(STORIES)) await answerOnce(name, story).catch(() => undefined);
      await pause(300);
    }
  })();
  return async () => {
    end.abort();
    await running;
  };
}

async function expectEnd(name: string, { phase, serves }: Story): Promise<void> {
  const { registry } = platform;
  const rows = await registry.rollouts.list({ model: name, limit: 10 });
  expect(
    rows.map((r) => r.phase),
    name,
  ).toEqual([phase]);
  const table = await registry.routing.find(name);
  expect(table?.rolloutId, name).toBeNull();
  expect(table?.routes, name).toEqual([{ variant: 'champion', version: serves, weightPercent: 100 }]);
  expect(await registry.versions.aliases(name), name).toMatchObject({ champion: serves });
  // Every change of the routing once, none on top of another's.
  const ledger = await registry.ledger.between(name, new Date(0), new Date(Date.now() + 1_000), 100);
  const generations = ledger.map((entry) => entry.generation);
  expect(new Set(generations).size, name).toBe(generations.length);
  expect(Math.max(...generations), name).toBe(generations.length);
}

async function expectReplays(): Promise<void> {
  const connection = await Connection.connect({ address: temporal.address });
  const client = new Client({ connection });
  const histories = await Promise.all(
    Object.keys(STORIES).map(async (name) => {
      const workflowId = rolloutWorkflowId(name);
      return { workflowId, history: await client.workflow.getHandle(workflowId).fetchHistory() };
    }),
  );
  await connection.close();
  const workflowBundle = await bundleWorkflows();
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    expect(error, workflowId).toBeUndefined();
  }
}

describe('rollouts of every strategy', () => {
  it(
    'end as they would have though everything is killed once, and their histories can be replayed',
    async () => {
      for (const name of Object.keys(STORIES)) await platform.addModel(definition(name), [tinyModel(), tinyModel()]);
      const stopTraffic = startTraffic();
      const ids = await Promise.all(
        Object.entries(STORIES).map(([name, { strategy, steps }]) =>
          platform.start(name, { strategy, plan: { ...common, steps: steps! } }),
        ),
      );
      const isOver = async (): Promise<boolean> => {
        const rows = await Promise.all(ids.map((id) => platform.registry.rollouts.find(id)));
        return rows.every((row) => row?.finishedAt != null);
      };
      for (const [name, kill] of Object.entries(KILLS)) {
        await pause(BETWEEN_KILLS_MS);
        expect(await isOver(), `before the kill of ${name}`).toBe(false);
        await kill();
      }
      try {
        await until('every rollout to end', ENDS_WITHIN_MS, isOver);
      } finally {
        await stopTraffic();
      }
      for (const [name, story] of Object.entries(STORIES)) await expectEnd(name, story);
      await expectReplays();
    },
    ENDS_WITHIN_MS + 60_000,
  );
});
