/**
 * Rollouts of every strategy under the requests of their users, while every part of the platform is killed with -9, one
 * after the other, in the middle of whatever it does. The moments differ from run to run; the end, and what each single
 * request is answered, must not. `npm run bench -- rollout-kills` kills each part at each step of each.
 */
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startKillWorld, type KillWorld, type Part } from '../../../bench/rollout-kills/kill-world.ts';
import { AT_START, ROWS, type Row } from '../../../bench/rollout-kills/rows.ts';
import { runBatch, type End, type Outcome } from '../../../bench/rollout-kills/run-batch.ts';
import type { UserAnswer } from '../../../bench/rollout/user-load.ts';
import type { Route } from '../../../domain/routing.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';
import { bundleWorkflows, quiet } from '../../workflow/environment.ts';

/** The API last: from its kill on requests may fail. */
const ORDER: readonly Part[] = ['worker', 'Temporal', 'Postgres', 'API process', 'API'];

let world: KillWorld;

beforeAll(async () => {
  quiet();
  world = await startKillWorld(testCacheDir());
});
afterAll(() => world.stop());

/** What a rollout comes to, whatever happens on its way. */
function endOf({ strategy, weights, bad = false }: Row): End {
  const alone = (version: number): readonly Route[] => [{ variant: 'champion', version, weightPercent: 100 }];
  if (strategy === 'shadow') {
    const mirrored: Route = { variant: 'shadow', version: 2, weightPercent: 0, mirrorPercent: 100 };
    const routings = [alone(1), [...alone(1), mirrored], alone(1)];
    return { phase: 'concluded', routings, servedByRollout: false, aliases: { champion: 1 }, candidate: 'accepted' };
  }
  const split = (weightPercent: number): readonly Route[] => {
    const rest = 100 - weightPercent;
    const control = strategy === 'canary' && weightPercent > 0 ? Math.min(weightPercent, rest) : 0;
    const baseline: Route = { variant: 'baseline', version: 1, weightPercent: control };
    return [
      { variant: 'champion', version: 1, weightPercent: rest - control },
      ...(control > 0 ? [baseline] : []),
      { variant: 'candidate', version: 2, weightPercent },
    ];
  };
  if (bad) {
    const routings = [alone(1), split(weights[0]!), alone(1)];
    return {
      phase: 'rolledBack',
      routings,
      servedByRollout: false,
      aliases: { champion: 1 },
      candidate: 'quarantined',
    };
  }
  const routings = [alone(1), ...weights.map(split), alone(2)];
  const aliases = { champion: 2, previous: 1 };
  return { phase: 'promoted', routings, servedByRollout: false, aliases, candidate: 'accepted' };
}

/** Every answer is one version's, of one that was routed, and recorded once; nobody fails but where the API is away. */
function expectGoodAnswers(name: string, { findings, killedAtMs }: Outcome): void {
  const { mixed, unrouted, misrecorded, answered, cut, starting, refused } = findings;
  expect({ mixed, unrouted, misrecorded }, name).toEqual({ mixed: 0, unrouted: 0, misrecorded: 0 });
  expect(answered, name).toBeGreaterThan(50);
  // A machine that is short of time for all of this says so, whatever the version: that is not counted here.
  expect(
    refused.filter((a) => !a.what.includes('overloaded')),
    name,
  ).toEqual([]);
  const failedBefore = (failed: readonly UserAnswer[], part: Part): readonly UserAnswer[] => {
    return failed.filter((a) => a.atMs + performance.timeOrigin < killedAtMs[ORDER.indexOf(part)]!);
  };
  expect(failedBefore(cut, 'API process'), name).toEqual([]);
  expect(failedBefore(starting, 'API'), name).toEqual([]);
}

async function expectReplays(outcomes: readonly Outcome[]): Promise<void> {
  const histories = await Promise.all(
    outcomes.map(async ({ model }) => ({ workflowId: model, history: await world.history(model) })),
  );
  const workflowBundle = await bundleWorkflows();
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    expect(error, workflowId).toBeUndefined();
  }
}

describe('rollouts of every strategy', () => {
  it('end as they would have though everything is killed once, and so does every request; their histories can be replayed', async () => {
    const kills = ORDER.map((part, i) => ({ part, point: i === 0 ? AT_START : 0 }));
    const outcomes = await runBatch({ world, tag: 'survive', rows: ROWS, kills, bakeTimeMs: () => 4_000 });
    for (const [i, { part }] of kills.entries()) {
      const open = Object.values(outcomes).filter(({ end, killedAtSteps }) => {
        return killedAtSteps[i]! < end.routings.length - 2;
      });
      expect(open.length, `rollouts that the kill of ${part} met`).toBeGreaterThan(0);
    }
    for (const [name, row] of Object.entries(ROWS)) {
      expect(outcomes[name]!.end, name).toEqual(endOf(row));
      expectGoodAnswers(name, outcomes[name]!);
    }
    await expectReplays(Object.values(outcomes));
  }, 300_000);
});
