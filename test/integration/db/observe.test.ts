import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WINDOWS_MAX } from '../../../domain/verdict.ts';
import {
  counts,
  givenModel,
  newRollout,
  openTestRegistry,
  prediction,
  routingChange,
  type TestRegistry,
} from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

const split = (candidate: number) => [
  { variant: 'champion', version: 1, weightPercent: 100 - candidate } as const,
  { variant: 'candidate', version: 2, weightPercent: candidate } as const,
];

describe('what the judge is given', () => {
  it('lies in windows that do not overlap, each under one set of weights, at most as many as agreed', async () => {
    await givenModel(t.registry, 'windows', 2);
    const rolloutId = randomUUID();
    await t.registry.routing.apply(routingChange('windows', { rolloutId, routes: split(5) }));
    await t.registry.routing.apply(
      routingChange('windows', { rolloutId, expectedGeneration: 1, routes: split(25), salt: 'other' }),
    );
    const nowMs = Date.now();
    const startMs = nowMs - 3 * 86_400_000;
    const changedMs = nowMs - 90_000;
    await t.sql`update routing_history set valid_from = ${new Date(startMs)}, valid_to = ${new Date(changedMs)}
      where model = 'windows' and generation = 1`;
    await t.sql`update routing_history set valid_from = ${new Date(changedMs)} where model = 'windows' and generation = 2`;
    const instance = randomUUID();
    const rows = Array.from({ length: 3_000 }, (_, i) => {
      const windowStartMs = Math.floor(startMs + ((nowMs - startMs) * i) / 3_000);
      const variant = i % 2 === 0 ? ('candidate' as const) : ('baseline' as const);
      return counts({ instance, sequence: i, model: 'windows', rolloutId, variant, windowStartMs, requests: 1 });
    });
    // Traffic of the last minutes, every two seconds.
    const recent = Array.from({ length: 60 }, (_, i) =>
      counts({ rolloutId, model: 'windows', windowStartMs: nowMs - 2_000 * (i + 1), requests: 1 }),
    );
    await t.registry.records.saveCounts([...rows, ...recent]);
    const { byWindow, candidate } = await t.registry.records.observe(rolloutId, startMs);
    expect(byWindow.length).toBeLessThanOrEqual(WINDOWS_MAX);
    expect(candidate.requests).toBe(1_560);
    const summed = byWindow.reduce((sum, w) => sum + w.counts.candidate.requests + w.counts.baseline.requests, 0);
    expect(summed).toBe(3_060);
    for (const [i, window] of byWindow.entries()) {
      expect(window.durationMs).toBeGreaterThan(0);
      const next = byWindow[i + 1];
      if (next !== undefined) expect(window.startMs + window.durationMs).toBeLessThanOrEqual(next.startMs);
      expect(window.weights.candidate).toBe(window.startMs < changedMs ? 5 : 25);
      if (window.weights.candidate === 5) expect(window.startMs + window.durationMs).toBeLessThanOrEqual(changedMs);
    }
    expect(new Set(byWindow.map((w) => w.weights.candidate))).toEqual(new Set([5, 25]));
  });

  it('has users with their events, truths, pairs and scores, by arm', async () => {
    await givenModel(t.registry, 'people', 2);
    const rollout = newRollout('people');
    await t.registry.rollouts.open(rollout);
    const own = { model: 'people', rolloutId: rollout.id } as const;
    const [a, b, c] = [
      prediction({ ...own, entityId: 'u1', variant: 'candidate', version: 2, label: 'yes' }),
      prediction({ ...own, entityId: 'u2', variant: 'candidate', version: 2 }),
      prediction({ ...own, entityId: 'u3', variant: 'champion' }),
    ];
    await t.registry.records.savePredictions([a, b, c, { ...a, requestId: randomUUID() }]);
    const bought = { model: 'people', event: 'bought', value: 1, requestId: null, occurredAtMs: Date.now() + 1_000 };
    await t.registry.outcomes.save([
      { ...bought, entityId: 'u1' },
      { ...bought, entityId: 'u1', occurredAtMs: Date.now() + 2_000 },
      { ...bought, entityId: null, requestId: c.requestId },
      { ...bought, entityId: 'stranger' },
    ]);
    const truth = { model: 'people', entityId: null, occurredAtMs: Date.now() };
    await t.registry.records.saveFeedback({ ...truth, requestId: a.requestId, label: 'yes' });
    await t.registry.records.saveFeedback({ ...truth, requestId: b.requestId, label: 'yes' });
    const scoreBins = Array.from({ length: 20 }, (_, i) => (i === 3 ? 7 : 0));
    await t.registry.records.saveCounts([
      counts({ ...own, windowStartMs: Date.now(), scoreBins }),
      counts({ ...own, windowStartMs: Date.now(), scoreBins }),
    ]);
    const seen = await t.registry.records.observe(rollout.id, Date.now() - 60_000);
    expect(seen.outcomes).toEqual([
      { event: 'bought', arm: 'candidate', users: 2, sum: 1, sumOfSquares: 1 },
      { event: 'bought', arm: 'champion', users: 1, sum: 1, sumOfSquares: 1 },
      { event: '$accuracy', arm: 'candidate', users: 2, sum: 1, sumOfSquares: 1 },
    ]);
    expect(seen.scores).toEqual([{ arm: 'candidate', bins: scoreBins.map((n) => 2 * n) }]);
    expect(seen.shadow).toBeNull();
    // One user came twice: four requests, and not quite three users' worth of chance.
    expect(seen.keys).toBeCloseTo(16 / 6);
  });

  it('is the same after old counters were merged, of which few are left', async () => {
    await givenModel(t.registry, 'merged', 2);
    const rolloutId = randomUUID();
    await t.registry.routing.apply(routingChange('merged', { rolloutId, routes: split(5) }));
    await t.registry.routing.apply(
      routingChange('merged', { rolloutId, expectedGeneration: 1, routes: split(25), salt: 'other' }),
    );
    const nowMs = Date.now();
    const startMs = nowMs - 5 * 3_600_000;
    // In the middle of a minute: nothing may be merged over it.
    const changedMs = Math.floor(nowMs / 60_000) * 60_000 - 3 * 3_600_000 + 30_000;
    await t.sql`update routing_history set valid_from = ${new Date(startMs)}, valid_to = ${new Date(changedMs)}
      where model = 'merged' and generation = 1`;
    await t.sql`update routing_history set valid_from = ${new Date(changedMs)} where model = 'merged' and generation = 2`;
    const scoreBins = Array.from({ length: 20 }, (_, bin) => (bin === 3 ? 2 : 0));
    const instances = [randomUUID(), randomUUID()];
    const rows = Array.from({ length: 10_000 }, (_, i) => {
      const windowStartMs = Math.floor(startMs + ((nowMs - startMs) * i) / 10_000);
      const variant = i % 3 === 0 ? ('candidate' as const) : ('champion' as const);
      const own = { model: 'merged', rolloutId, variant, windowStartMs, requests: 2, errors: i % 7 === 0 ? 1 : 0 };
      return counts({ instance: instances[i % 2]!, sequence: i, ...own, scoreBins });
    });
    await t.registry.records.saveCounts(rows);
    const left = async () =>
      (await t.sql`select count(*)::int as n from variant_counts where rollout_id = ${rolloutId}`)[0]!['n'] as number;
    const observed = async () => {
      const { byWindow, ...rest } = await t.another({ nowMs: () => nowMs }).records.observe(rolloutId, startMs);
      return { byWindow, sums: { ...rest, windows: 0 } };
    };
    const before = await observed();
    expect(await t.registry.records.compactCounts()).toBeGreaterThan(5_000);
    const after = await observed();
    expect(after.sums).toEqual(before.sums);
    expect(after.byWindow).toEqual(before.byWindow);
    // Three of five hours are minutes now, of two variants; one minute has two generations.
    expect(await left()).toBeLessThan(4_000 + 40 + 2 * (3 * 60 + 3));
    expect(await t.registry.records.compactCounts()).toBe(0);
  });
});
