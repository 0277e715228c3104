import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJudge, observationOf } from '../../../domain/judge.ts';
import { METRICS_BY_DEFAULT } from '../../../domain/rollout/complete-plan.ts';
import { NO_COUNTS, addCounts } from '../../../domain/records.ts';
import { logWorseThanBaseline } from '../../../domain/statistics/baseline-evidence.ts';
import { logAgainst, logHealth } from '../../../domain/statistics/limit-evidence.ts';
import { mergeWindows } from '../../../domain/statistics/merge-windows.ts';
import { checkSampleRatio } from '../../../domain/statistics/sample-ratio.ts';
import {
  ARMS,
  WINDOWS_MAX,
  type Arm,
  type ArmWindow,
  type JudgePolicy,
  type Observation,
} from '../../../domain/verdict.ts';

const judge = createJudge();
const RUNS = 300;
const policy: JudgePolicy = {
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  metrics: METRICS_BY_DEFAULT,
  alpha: 0.01,
  warmUpRequests: 50,
};
const WEIGHTS = { candidate: 5, baseline: 5, champion: 90 };

const counts = fc.record({ requests: fc.nat(500), errors: fc.nat(500), slow: fc.nat(500) }).map((c) => ({
  ...NO_COUNTS,
  requests: c.requests,
  errors: Math.min(c.errors, c.requests),
  slow: Math.min(c.slow, c.requests),
}));
const armCounts = fc.record({ candidate: counts, baseline: counts, champion: counts });
const windows = fc
  .array(fc.record({ counts: armCounts, durationMs: fc.constantFrom(2_000, 60_000) }), { maxLength: 20 })
  .map((all) => all.map((w, i): ArmWindow => ({ ...w, startMs: i * 60_000, weights: WEIGHTS })));

function observe(byWindow: readonly ArmWindow[]): Observation {
  const total = (arm: Arm) => byWindow.reduce((sum, w) => addCounts(sum, w.counts[arm]), NO_COUNTS);
  const sums = { candidate: total('candidate'), champion: total('champion'), windows: byWindow.length };
  return { ...observationOf(sums), byWindow };
}

const short = fc
  .array(fc.record({ requests: fc.integer({ min: 1, max: 500 }), hits: fc.nat(20) }), { minLength: 1, maxLength: 30 })
  .map((all) =>
    all.map((w, i) => ({
      startMs: i * 2_000,
      durationMs: 2_000,
      requests: w.requests,
      hits: Math.min(w.hits, w.requests),
    })),
  );

describe('the evidence against a limit', () => {
  it('never shrinks when a request more fails', () => {
    fc.assert(
      fc.property(short, fc.nat(), fc.constantFrom(1, 5), (all, at, bursts) => {
        const i = at % all.length;
        const worse = all.map((w, j) => (j === i && w.hits < w.requests ? { ...w, hits: w.hits + 1 } : w));
        expect(logAgainst(worse, 0.001, bursts)).toBeGreaterThanOrEqual(logAgainst(all, 0.001, bursts) - 1e-9);
        expect(logHealth(worse, 0.001, bursts)).toBeLessThanOrEqual(logHealth(all, 0.001, bursts) + 1e-9);
      }),
      { numRuns: RUNS },
    );
  });

  it('does not depend on the order of merged windows, nor beside a baseline', () => {
    // Short windows have an order: part of the evidence looks for a break after a good beginning.
    fc.assert(
      fc.property(short, (all) => {
        const merged = all.map((w, i) => ({ ...w, startMs: i * 60_000, durationMs: 60_000 }));
        const turned = merged
          .slice()
          .reverse()
          .map((w, i) => ({ ...w, startMs: i * 60_000 }));
        expect(logAgainst(turned, 0.001, 1)).toBeCloseTo(logAgainst(merged, 0.001, 1), 8);
        const pairs = (list: typeof all) => list.map((w) => ({ candidate: w, other: { ...w, hits: 0 } }));
        expect(logWorseThanBaseline(pairs(turned), 1, 1)).toBeCloseTo(logWorseThanBaseline(pairs(merged), 1, 1), 8);
      }),
      { numRuns: RUNS },
    );
  });

  it('does not depend on the order of short windows within 10 s, which are one start', () => {
    fc.assert(
      fc.property(short, (all) => {
        const five = all.slice(0, 5);
        const turned = five
          .slice()
          .reverse()
          .map((w, i) => ({ ...w, startMs: i * 2_000 }));
        expect(logAgainst(turned, 0.001, 1)).toBeCloseTo(logAgainst(five, 0.001, 1), 8);
      }),
      { numRuns: RUNS },
    );
  });
});

describe('the verdict', () => {
  it('is JSON and says what it decided by', () => {
    fc.assert(
      fc.property(windows, (all) => {
        const verdict = judge(observe(all), policy);
        expect(JSON.parse(JSON.stringify(verdict))).toEqual(verdict);
        for (const e of verdict.evidence) {
          for (const value of [e.observed, e.limit, e.eValue, e.threshold, e.healthEValue ?? 0]) {
            expect(Number.isFinite(value)).toBe(true);
          }
        }
        expect(verdict.evidence.map((e) => e.metric)).toEqual(METRICS_BY_DEFAULT.map((m) => m.metric));
      }),
      { numRuns: RUNS },
    );
  });

  it('never rolls back a candidate without a failed or a slow request', () => {
    fc.assert(
      fc.property(windows, (all) => {
        const clean = all.map((w) => ({
          ...w,
          counts: { ...w.counts, candidate: { ...NO_COUNTS, requests: w.counts.candidate.requests } },
        }));
        expect(judge(observe(clean), policy).kind).not.toBe('rollback');
      }),
      { numRuns: RUNS },
    );
  });

  it('is never healthy without traffic of the candidate', () => {
    fc.assert(
      fc.property(windows, (all) => {
        const silent = all.map((w) => ({ ...w, counts: { ...w.counts, candidate: NO_COUNTS } }));
        expect(judge(observe(silent), policy).kind).toBe('inconclusive');
      }),
      { numRuns: RUNS },
    );
  });
});

const SILENT = { candidate: NO_COUNTS, baseline: NO_COUNTS, champion: NO_COUNTS };

describe('merged windows', () => {
  it('lose nothing, stay in order, and merge to the same in one go or in several', () => {
    fc.assert(
      fc.property(fc.array(armCounts, { maxLength: 60 }), fc.nat(7_200_000), (all, ageMs) => {
        const fine = all.map((c, i): ArmWindow => ({
          startMs: i * 2_000,
          durationMs: 2_000,
          weights: WEIGHTS,
          counts: c,
        }));
        const nowMs = all.length * 2_000 + ageMs;
        const once = mergeWindows(fine, nowMs);
        expect(mergeWindows(mergeWindows(fine, nowMs - Math.floor(ageMs / 2)), nowMs)).toEqual(once);
        for (const arm of ARMS) {
          const total = (list: readonly ArmWindow[]) => list.reduce((sum, w) => sum + w.counts[arm].requests, 0);
          expect(total(once)).toBe(total(fine));
        }
        expect(once.every((w, i) => i === 0 || w.startMs > (once[i - 1]?.startMs ?? 0))).toBe(true);
      }),
      // The edge of an hour was once between two windows of a minute.
      { numRuns: 100, examples: [[Array.from({ length: 6 }, () => SILENT), 3_588_001]] },
    );
  });

  it('are fewer than the most a judge is shown, after thirty days', () => {
    let merged: readonly ArmWindow[] = [];
    const hour = 3_600_000;
    const empty = { candidate: NO_COUNTS, baseline: NO_COUNTS, champion: NO_COUNTS };
    const add = (startMs: number, durationMs: number) => {
      merged = [...merged, { startMs, durationMs, weights: WEIGHTS, counts: empty }];
    };
    for (let at = 0; at < 30 * 24 * hour; at += 60_000) {
      add(at, 60_000);
      if (at % hour === 0) merged = mergeWindows(merged, at);
    }
    for (let at = 0; at < hour; at += 2_000) add(30 * 24 * hour + at, 2_000);
    expect(mergeWindows(merged, 30 * 24 * hour + hour).length).toBeLessThanOrEqual(WINDOWS_MAX);
  });
});

describe('the split of the traffic', () => {
  /** A split of users by chance, each with some requests, as a rollout sees it at its end. */
  function splitOf(users: number, busiest: number, seed: number, twice: boolean) {
    const random = randomNumbers(seed);
    const requests: Record<Arm, number> = { candidate: 0, baseline: 0, champion: 0 };
    let [sum, squares] = [0, 0];
    for (let user = 0; user < users; user += 1) {
      const n = 1 + Math.floor(busiest * random() ** 3);
      const place = random();
      const [candidate, baseline] = twice ? [0.2, 0.3] : [0.1, 0.2];
      requests[place < candidate ? 'candidate' : place < baseline ? 'baseline' : 'champion'] += n;
      sum += n;
      squares += n * n;
    }
    const counted = (arm: Arm) => ({ ...NO_COUNTS, requests: requests[arm] });
    const counts = { candidate: counted('candidate'), baseline: counted('baseline'), champion: counted('champion') };
    const window = { startMs: 0, durationMs: 2_000, weights: { candidate: 10, baseline: 10, champion: 80 }, counts };
    return checkSampleRatio([window], sum ** 2 / squares)!;
  }

  it.each([
    [50, 1_000],
    [500, 1],
    [500, 1_000],
    [5_000, 100],
  ])('of %i users with up to %i requests each raises no false alarm', (users, busiest) => {
    const alarms = Array.from({ length: 2_000 }, (_, seed) => splitOf(users, busiest, seed, false)).filter(
      (s) => !s.ok,
    );
    expect(alarms.length).toBeLessThanOrEqual(6);
  });

  it.each([
    [1_000, 1],
    [2_000, 1_000],
  ])(
    'of %i users with up to %i requests each is found wrong when the candidate gets twice its share',
    (users, busiest) => {
      const found = Array.from({ length: 200 }, (_, seed) => splitOf(users, busiest, seed, true)).filter((s) => !s.ok);
      expect(found.length).toBeGreaterThan(190);
    },
  );
});

/** Uniform in 0..1 (mulberry32). */
function randomNumbers(seed: number): () => number {
  let a = seed * 0x9e3779b1;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
