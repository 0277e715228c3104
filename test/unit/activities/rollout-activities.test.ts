import { describe, expect, it } from 'vitest';
import type { RouteCommand } from '../../../domain/rollout/events.ts';
import { completePlan } from '../../../domain/rollout/complete-plan.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import { definition, fakeDeps, NOW_MS } from './fakes.ts';

const change: RouteCommand = {
  kind: 'route',
  purpose: 'step',
  expectedGeneration: 9,
  ordinal: 4,
  rolloutId: 'r-1',
  routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
  by: 'alice',
  reason: 'step 1 of 3',
  evidence: null,
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
        evidence: null,
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

const look = {
  rolloutId: 'r-1',
  model: 'prices',
  sinceMs: 0,
  lookAtMs: NOW_MS,
  plan: completePlan(definition.rollout.canary),
  stepIndex: 1,
  phase: 'running' as const,
  generation: 9,
  routes: [],
};
const process = (instance: string, generation: number, seenAtMs = NOW_MS) => ({
  instance,
  model: 'prices',
  generation,
  warmVersions: [1],
  seenAtMs,
});

describe('a look at a rollout', () => {
  it('counts each arm apart, and is recorded with its verdict', async () => {
    const { activities, state } = await fakeDeps();
    const counts = (requests: number) => ({ ...NO_COUNTS, requests });
    const arms = { candidate: counts(5), baseline: counts(4), champion: counts(90) };
    const weights = { candidate: 5, baseline: 5, champion: 90 };
    const byWindow = [{ startMs: 0, durationMs: 10_000, weights, counts: arms }];
    state.seen = { ...state.seen, candidate: counts(5), champion: counts(94), windows: 1, byWindow };
    const seen = await activities.observe(look);
    expect(seen.observation).toEqual({ ...arms, windows: 1, shadowPairs: 0 });
    expect(seen).toMatchObject({ verdict: { kind: 'healthy' }, hold: null, triggers: [], listening: false });
    expect(state.looks).toMatchObject([{ rolloutId: 'r-1', lookAtMs: NOW_MS, step: 1, counts: arms }]);
  });

  it('says what holds the next step up, and who calls from outside', async () => {
    const { activities, state } = await fakeDeps();
    state.line = { active: true, by: 'ann', reason: 'incident 7', at: null };
    state.triggers = [{ id: 't', model: null, kind: 'security', reason: 'leak', by: 'eve', atMs: 1 }];
    state.webhooks = 1;
    expect(await activities.observe(look)).toMatchObject({
      hold: { kind: 'stopTheLine', reason: 'incident 7 (ann)', untilMs: null },
      triggers: [{ kind: 'security', reason: 'leak', by: 'eve' }],
      listening: true,
    });
  });

  it('is held by a closed calendar until it opens', async () => {
    const { activities } = await fakeDeps();
    const today = new Date(NOW_MS).toISOString().slice(0, 10);
    const plan = { ...look.plan, calendar: { timeZone: 'UTC', windows: [], holidays: [today] } };
    const { hold } = await activities.observe({ ...look, plan });
    expect(hold).toMatchObject({ kind: 'calendar', reason: `${today} is a holiday (UTC)` });
    expect(new Date(hold?.untilMs ?? 0).toISOString()).toMatch(/T00:00:00/);
  });

  it('names the processes that do not follow yet, and forgets those that are gone', async () => {
    const { activities, state } = await fakeDeps();
    state.instances.push(process('a', 9), process('b', 8), process('gone', 1, NOW_MS - 60_000));
    expect((await activities.observe(look)).adoption).toEqual({ generation: 9, adopted: false, waitingFor: ['b'] });
    expect(await activities.probeWarm({ model: 'prices', version: 1 })).toEqual({ warm: true, waitingFor: [] });
    expect(await activities.probeWarm({ model: 'prices', version: 2 })).toMatchObject({ warm: false });
  });
});

describe('a version that had to go', () => {
  it('is quarantined with who and why', async () => {
    const { activities, state } = await fakeDeps();
    await activities.quarantine({ model: 'prices', version: 2, by: 'ann', reason: 'too slow' });
    expect(state.settled).toEqual([['prices', 2, 'quarantined', { by: 'ann', reason: 'too slow' }]]);
  });
});
