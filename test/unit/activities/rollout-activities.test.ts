import { describe, expect, it } from 'vitest';
import type { RouteCommand } from '../../../domain/rollout/events.ts';
import { fakeDeps } from './fakes.ts';

const change: RouteCommand = {
  kind: 'route',
  purpose: 'step',
  expectedGeneration: 9,
  ordinal: 4,
  rolloutId: 'r-1',
  routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
  by: 'alice',
  reason: 'step 1 of 3',
};
const order = { model: 'prices', rolloutId: 'r-1', salt: 's', slowMs: 120 };

describe('a change of the routing', () => {
  it('carries an id of its own, so that a retry is the same change', async () => {
    const { activities, state } = await fakeDeps();
    expect(await activities.applyRouting({ ...order, change })).toEqual({ generation: 10 });
    expect(state.applied).toEqual([
      {
        model: 'prices',
        expectedGeneration: 9,
        changeId: 'r-1/4',
        salt: 's',
        rolloutId: 'r-1',
        routes: change.routes,
        slowMs: 120,
        by: 'alice',
        reason: 'step 1 of 3',
      },
    ]);
  });

  it('forward is refused on another generation, even one of its own rollout', async () => {
    const { activities, state } = await fakeDeps();
    state.routing = { ...state.routing!, generation: 10, rolloutId: 'r-1' };
    await expect(activities.applyRouting({ ...order, change })).rejects.toMatchObject({ type: 'conflict' });
  });

  it('back goes over a change of its own rollout whose answer was lost, and over nobody else', async () => {
    const back: RouteCommand = { ...change, purpose: 'restore', rolloutId: null };
    const { activities, state } = await fakeDeps();
    state.routing = { ...state.routing!, generation: 10, rolloutId: 'r-1' };
    expect(await activities.applyRouting({ ...order, change: back })).toEqual({ generation: 11 });
    state.routing = { ...state.routing, rolloutId: 'r-2' };
    await expect(activities.applyRouting({ ...order, change: back })).rejects.toMatchObject({
      type: 'conflict',
      nonRetryable: true,
    });
  });
});
