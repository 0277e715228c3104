import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ArmWindow } from '../../../domain/verdict.ts';
import { counts, givenModel, openTestRegistry, prediction, routingChange, type TestRegistry } from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

/** Noon of a day on which nothing else happens. */
const NOON_MS = Math.floor(Date.now() / 86_400_000) * 86_400_000 - 12 * 3_600_000;
const split = (candidate: number) => [
  { variant: 'champion', version: 1, weightPercent: 100 - 2 * candidate } as const,
  { variant: 'baseline', version: 1, weightPercent: candidate } as const,
  { variant: 'candidate', version: 2, weightPercent: candidate } as const,
];

/** A rollout that went from 5 to 25 % at the moment, which need not be the edge of a window. */
async function steppedAt(model: string, changedMs: number): Promise<string> {
  await givenModel(t.registry, model, 2);
  const rolloutId = randomUUID();
  await t.registry.routing.apply(routingChange(model, { rolloutId, routes: split(5) }));
  await t.registry.routing.apply(routingChange(model, { rolloutId, expectedGeneration: 1, routes: split(25) }));
  await t.sql`update routing_history set valid_from = ${new Date(NOON_MS)}, valid_to = ${new Date(changedMs)}
    where model = ${model} and generation = 1`;
  await t.sql`update routing_history set valid_from = ${new Date(changedMs)} where model = ${model} and generation = 2`;
  return rolloutId;
}

const sum = (windows: readonly ArmWindow[], of: (w: ArmWindow) => number) => windows.reduce((s, w) => s + of(w), 0);

describe('the recorded windows of a rollout', () => {
  it('are in order, as wide as asked, cut where the weights changed, with every counter in one of them', async () => {
    const changedMs = NOON_MS + 47_300;
    const rolloutId = await steppedAt('replayed', changedMs);
    const rows = Array.from({ length: 60 }, (_, i) => {
      const own = { model: 'replayed', rolloutId, windowStartMs: NOON_MS + i * 2_000, requests: 3, latencySumMs: 6 };
      return (['candidate', 'baseline', 'champion'] as const).map((variant) =>
        counts({ ...own, variant, version: variant === 'candidate' ? 2 : 1 }),
      );
    });
    // Of another rollout, of no rollout, and from before it began: none of them belong to the record.
    const strangers = [
      counts({ model: 'replayed', rolloutId: randomUUID(), windowStartMs: NOON_MS + 1_000 }),
      counts({ model: 'replayed', rolloutId: null, windowStartMs: NOON_MS + 1_000 }),
      counts({ model: 'replayed', rolloutId, windowStartMs: NOON_MS - 60_000 }),
    ];
    await t.registry.records.saveCounts([...rows.flat(), ...strangers]);
    const windows = await t.registry.records.recordedWindows(rolloutId, NOON_MS, 10_000);
    // Twelve of ten seconds, one of them in two parts.
    expect(windows).toHaveLength(13);
    for (const [i, { startMs, durationMs, weights }] of windows.entries()) {
      expect(durationMs).toBeGreaterThan(0);
      expect(durationMs).toBeLessThanOrEqual(10_000);
      expect(weights.candidate).toBe(startMs < changedMs ? 5 : 25);
      expect(weights.champion).toBe(startMs < changedMs ? 90 : 50);
      const next = windows[i + 1];
      if (next !== undefined) expect(startMs + durationMs).toBeLessThanOrEqual(next.startMs);
    }
    const cut = windows.findIndex((w) => w.startMs === changedMs);
    expect(windows[cut - 1]).toMatchObject({ startMs: NOON_MS + 40_000, durationMs: 7_300, weights: { candidate: 5 } });
    expect(windows[cut]).toMatchObject({ durationMs: 2_700, counts: { candidate: { requests: 3 } } });
    for (const arm of ['candidate', 'baseline', 'champion'] as const) {
      expect(sum(windows, (w) => w.counts[arm].requests)).toBe(180);
      expect(sum(windows, (w) => w.counts[arm].errors)).toBe(60);
      expect(sum(windows, (w) => w.counts[arm].latencySumMs)).toBe(360);
    }
  });

  it('are the same traffic in wider windows, and none of a rollout that nobody asked', async () => {
    const rolloutId = await steppedAt('wider', NOON_MS + 600_000);
    const rows = Array.from({ length: 100 }, (_, i) =>
      counts({ model: 'wider', rolloutId, windowStartMs: NOON_MS + i * 2_000, requests: i }),
    );
    await t.registry.records.saveCounts(rows);
    const fine = await t.registry.records.recordedWindows(rolloutId, NOON_MS, 2_000);
    const wide = await t.registry.records.recordedWindows(rolloutId, NOON_MS, 60_000);
    expect(fine).toHaveLength(100);
    expect(wide).toHaveLength(4);
    for (const windows of [fine, wide]) expect(sum(windows, (w) => w.counts.candidate.requests)).toBe(4_950);
    expect(await t.registry.records.recordedWindows(randomUUID(), NOON_MS, 10_000)).toEqual([]);
  });
});

describe('the traffic of a model', () => {
  const hourMs = 3_600_000;

  it('is every request that clients had answered in the span, whatever version did', async () => {
    await givenModel(t.registry, 'busy', 2);
    const own = { model: 'busy', requests: 100, errors: 2, slow: 5, latencySumMs: 400 };
    const at = (ms: number) => ({ ...own, windowStartMs: NOON_MS + ms });
    await t.registry.records.saveCounts([
      counts({ ...at(0), variant: 'champion', version: 1 }),
      counts({ ...at(hourMs), variant: 'candidate', version: 2, rolloutId: randomUUID() }),
      // Copies answer nobody; the rest is before, after and of others.
      counts({ ...at(hourMs), variant: 'shadow', version: 2, rolloutId: randomUUID() }),
      counts({ ...at(-1), variant: 'champion' }),
      counts({ ...at(2 * hourMs), variant: 'champion' }),
      counts({ ...at(hourMs), model: 'idle', variant: 'champion' }),
    ]);
    expect(await t.registry.records.traffic('busy', NOON_MS, NOON_MS + 2 * hourMs)).toEqual({
      counts: { requests: 200, errors: 4, slow: 10, latencySumMs: 800 },
      firstMs: NOON_MS,
      lastMs: NOON_MS + hourMs,
      users: 0,
      outcomes: {},
    });
  });

  it('has users and their events once each, in the span', async () => {
    await givenModel(t.registry, 'visited', 2);
    const nowMs = Date.now();
    const own = { model: 'visited', createdAtMs: nowMs };
    const anonymous = prediction(own);
    await t.registry.records.savePredictions([
      prediction({ ...own, entityId: 'u1' }),
      prediction({ ...own, entityId: 'u1' }),
      prediction({ ...own, entityId: 'u2' }),
      prediction({ ...own, entityId: 'u3', createdAtMs: nowMs - 2 * hourMs }),
      anonymous,
    ]);
    const bought = { model: 'visited', event: 'bought', value: 1, requestId: null, occurredAtMs: nowMs };
    await t.registry.outcomes.save([
      { ...bought, entityId: 'u1' },
      { ...bought, entityId: 'u1', occurredAtMs: nowMs - 1 },
      { ...bought, entityId: null, requestId: anonymous.requestId },
      { ...bought, entityId: 'u2', event: 'complained' },
      { ...bought, entityId: 'u3', occurredAtMs: nowMs - 2 * hourMs },
    ]);
    const traffic = await t.registry.records.traffic('visited', nowMs - hourMs, nowMs + 1);
    expect(traffic).toMatchObject({ users: 2, outcomes: { bought: 2, complained: 1 } });
  });

  it('is nothing where nobody asked', async () => {
    expect(await t.registry.records.traffic('nobody', 0, Date.now())).toEqual({
      counts: { requests: 0, errors: 0, slow: 0, latencySumMs: 0 },
      firstMs: null,
      lastMs: null,
      users: 0,
      outcomes: {},
    });
  });
});
