import type { ApplicationFailure } from '@temporalio/common';
import { describe, expect, it } from 'vitest';
import type { OpenRollout } from '../../../activities/contract.ts';
import type { RolloutRow } from '../../../db/ports.ts';
import { DomainError } from '../../../domain/errors.ts';
import { definition, fakeDeps } from './fakes.ts';

const ask = (change: Partial<OpenRollout> = {}): OpenRollout => ({
  rolloutId: 'r-1',
  workflowId: 'rollout/prices',
  runId: 'run-1',
  model: 'prices',
  version: 2,
  plan: {},
  requestedBy: 'alice',
  ...change,
});

async function refusal(promise: Promise<unknown>): Promise<ApplicationFailure> {
  return promise.then(
    () => {
      throw new Error('it was accepted');
    },
    (error: unknown) => error as ApplicationFailure,
  );
}

const openRow = (change: Partial<RolloutRow>): RolloutRow => ({
  id: 'r-0',
  model: 'prices',
  candidate: 2,
  champion: 1,
  plan: definition.rollout.canary,
  phase: 'running',
  snapshot: null,
  reason: null,
  workflowId: 'somebody/else',
  runId: 'run-0',
  startedBy: 'bob',
  startedAt: new Date(0),
  finishedAt: null,
  ...change,
});

describe('opening a rollout', () => {
  it('takes strategy and plan from the definition, champion and generation from the registry', async () => {
    const { activities, state } = await fakeDeps();
    expect(await activities.openRollout(ask())).toEqual({
      champion: 1,
      previous: null,
      plan: definition.rollout.canary,
      generation: 9,
      routes: state.routing?.routes,
      hold: null,
      listening: false,
    });
    expect(state.open).toMatchObject({ id: 'r-1', candidate: 2, champion: 1, startedBy: 'alice', runId: 'run-1' });
  });

  it('lets the start replace parts of the plan', async () => {
    const { activities } = await fakeDeps();
    const { plan } = await activities.openRollout(
      ask({ strategy: 'blue-green', plan: { minRequests: 3, limits: { p95MsMax: 9 } } }),
    );
    const base = definition.rollout.blueGreen;
    expect(plan).toEqual({ ...base, minRequests: 3, limits: { ...base.limits, p95MsMax: 9 } });
  });

  it('opens nothing while recovery has to be proven first', async () => {
    const refused = new DomainError('refused', 'No rollout begins now: no recovery drill has been made yet');
    const { activities, state } = await fakeDeps({ requireDrill: () => Promise.reject(refused) });
    expect(await refusal(activities.openRollout(ask()))).toMatchObject({ type: 'refused', nonRetryable: true });
    expect(state.open).toBeNull();
  });

  it('makes one step of all at once', async () => {
    const { activities } = await fakeDeps();
    const { plan } = await activities.openRollout(ask({ strategy: 'all-at-once' }));
    expect(plan).toMatchObject({ strategy: 'all-at-once', steps: [{ weightPercent: 100, bakeTimeMs: 0 }] });
  });

  it('is the same again when it is retried, also after what it opened has moved on', async () => {
    const { activities, state } = await fakeDeps();
    const first = await activities.openRollout(ask());
    expect(await activities.openRollout(ask())).toEqual(first);
    expect(state.closed).toEqual([]);
  });

  it('has no champion where nothing serves yet', async () => {
    const { activities, state } = await fakeDeps();
    state.aliases = {};
    state.routing = null;
    expect(await activities.openRollout(ask())).toMatchObject({ champion: null, generation: 0, routes: [] });
  });

  it('takes the busiest route for the champion where no alias says so', async () => {
    const { activities, state } = await fakeDeps();
    state.aliases = {};
    expect(await activities.openRollout(ask())).toMatchObject({ champion: 1 });
  });

  it('gives the champion everything back that a broken rollout left', async () => {
    const { activities, state } = await fakeDeps();
    state.routing = {
      ...state.routing!,
      routes: [
        { variant: 'champion', version: 1, weightPercent: 60 },
        { variant: 'candidate', version: 2, weightPercent: 40 },
      ],
    };
    expect(await activities.openRollout(ask({ version: 1 }))).toMatchObject({ champion: null });
  });

  it.each([
    [{ version: 3 }, 'refused', 'its gates failed'],
    [{ version: 4 }, 'refused', 'its gates are still running'],
    [{ version: 5 }, 'refused', 'it is quarantined'],
    [{ version: 1 }, 'refused', 'prices version 1 is the champion and answers every request already'],
    [{ version: 9 }, 'notFound', 'prices has no version 9 (allowed: 5, 4, 3, 2, 1)'],
    [{ model: 'nobody' }, 'notFound', '"nobody" is not known (allowed: prices)'],
    [{ plan: { minRequests: -1 } }, 'invalidInput', 'plan.minRequests: -1 is not a whole number'],
  ] as const)('refuses %j', async (change, type, sentence) => {
    const { activities, state } = await fakeDeps();
    const failure = await refusal(activities.openRollout(ask(change)));
    expect(failure).toMatchObject({ type, nonRetryable: true });
    expect(failure.message).toContain(sentence);
    expect(state.open).toBeNull();
  });

  it('is refused while another rollout is open and its workflow runs', async () => {
    const { activities, state } = await fakeDeps();
    state.open = openRow({});
    expect(await refusal(activities.openRollout(ask()))).toMatchObject({ type: 'conflict', nonRetryable: true });
    expect(state.closed).toEqual([]);
  });

  it.each([
    ['its workflow is gone', { isRunning: () => Promise.resolve(false) }, {}],
    ['it ran under this very workflow id before', {}, { workflowId: 'rollout/prices' }],
  ])('closes a rollout left open when %s', async (_, deps, row) => {
    const { activities, state } = await fakeDeps(deps);
    state.open = openRow(row);
    expect(await activities.openRollout(ask())).toMatchObject({ champion: 1 });
    expect(state.closed).toEqual([{ id: 'r-0', reason: 'its workflow ended without closing it', phase: 'aborted' }]);
  });
});
