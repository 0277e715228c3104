import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RETENTION, planRetention, type RetainedSet } from '../../../domain/recovery/retention.ts';

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2030, 0, 1);
const set = (atMs: number, change: Partial<RetainedSet> = {}): RetainedSet => ({
  setId: `s${String(atMs).padStart(15, '0')}`,
  startedAtMs: atMs,
  verified: true,
  hold: null,
  lockedUntilMs: null,
  needs: [],
  ...change,
});

/** What happens on one day: whether a set is taken, verified, held, locked, or needs the one before. */
const day = fc.record({
  taken: fc.boolean(),
  verified: fc.boolean(),
  held: fc.integer({ min: 0, max: 60 }).map((n) => n === 0),
  lockDays: fc.option(fc.integer({ min: 1, max: 90 })),
  incremental: fc.boolean(),
  hour: fc.integer({ min: 0, max: 23 }),
});
const policy = fc.record({
  keepAllDays: fc.integer({ min: 0, max: 5 }),
  daily: fc.integer({ min: 0, max: 40 }),
  weekly: fc.integer({ min: 0, max: 10 }),
  monthly: fc.integer({ min: 0, max: 15 }),
});

describe('the retention of backup sets', () => {
  it('over simulated years never removes what must stay, however sets come and are pruned', () => {
    fc.assert(
      fc.property(fc.array(day, { minLength: 800, maxLength: 1_100 }), policy, (days, rules) => {
        let kept: RetainedSet[] = [];
        days.forEach((today, index) => {
          const nowMs = START_MS + index * DAY_MS + today.hour * 3_600_000;
          const previous = kept.at(-1);
          if (today.taken) {
            const lockedUntilMs = today.lockDays === null ? null : nowMs + today.lockDays * DAY_MS;
            const needs = today.incremental && previous !== undefined ? [previous.setId] : [];
            const hold = today.held ? 'held' : null;
            kept.push(set(nowMs, { verified: today.verified, hold, lockedUntilMs, needs }));
          }
          const plan = planRetention(kept, rules, nowMs);
          const stays = new Set(plan.keep.map((one) => one.setId));
          const newestVerified = kept.filter((one) => one.verified).at(-1);
          if (newestVerified !== undefined) expect(stays.has(newestVerified.setId)).toBe(true);
          for (const one of kept) {
            const needed = stays.has(one.setId) ? one.needs : [];
            for (const id of needed) expect(stays.has(id)).toBe(true);
            if (one.hold !== null || (one.lockedUntilMs ?? 0) > nowMs) expect(stays.has(one.setId)).toBe(true);
          }
          // Each set is either kept or removed, never both.
          expect([...stays, ...plan.remove].sort()).toEqual(kept.map((one) => one.setId).sort());
          kept = kept.filter((one) => stays.has(one.setId));
        });
      }),
      { numRuns: 8 },
    );
  });

  it('with a set a day keeps a month of days, then weeks, then months of a year', () => {
    let kept: RetainedSet[] = [];
    let nowMs = START_MS;
    for (let n = 0; n < 800; n++) {
      nowMs = START_MS + n * DAY_MS;
      kept.push(set(nowMs));
      const { remove } = planRetention(kept, DEFAULT_RETENTION, nowMs);
      kept = kept.filter((one) => !remove.includes(one.setId));
    }
    const ages = kept.map((one) => Math.round((nowMs - one.startedAtMs) / DAY_MS));
    expect(ages.filter((age) => age < 30)).toHaveLength(30);
    expect(ages.filter((age) => age >= 30 && age < 56).length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...ages)).toBeGreaterThan(300);
    expect(Math.max(...ages)).toBeLessThan(370);
    expect(kept.length).toBeLessThan(50);
  });

  it('lets an unverified set of a day not take the place of a verified one', () => {
    const rules = { keepAllDays: 0, daily: 1, weekly: 0, monthly: 0 };
    const [proven, unproven] = [set(START_MS + 1000), set(START_MS + 2000, { verified: false })];
    const { keep } = planRetention([proven, unproven], rules, START_MS + 10 * DAY_MS);
    expect(keep.find((one) => one.setId === proven.setId)?.reasons).toEqual(['daily', 'lastVerified']);
    expect(keep.find((one) => one.setId === unproven.setId)?.reasons).toEqual(['newest']);
  });
});
