import { describe, expect, it } from 'vitest';
import reference from '../../reference/judge/values.json' with { type: 'json' };
import { betterShares, createJudge, logEvidence, observationOf, worseShares } from '../../../domain/judge.ts';
import { METRICS_BY_DEFAULT } from '../../../domain/rollout/complete-plan.ts';
import type { RolloutLimits } from '../../../domain/rollout/plan.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import type { Observation } from '../../../domain/verdict.ts';

const limits = { errorRateMax: 0.001, p95MsMax: 120 };
const judge = (observation: Observation, at: RolloutLimits) =>
  createJudge()(observation, { limits: at, metrics: METRICS_BY_DEFAULT, alpha: 0.01, warmUpRequests: 50 });

function seen(requests: number, errors: number, slow = 0, windows = 10): Observation {
  return observationOf({ candidate: { ...NO_COUNTS, requests, errors, slow }, champion: NO_COUNTS, windows });
}

/** A small generator of its own (mulberry32): the simulations are the same on every machine. */
function uniform(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A candidate looked at every 500 requests, at most 30,000; the errors drawn by their gaps. */
function simulate(rate: number, runs: number, metric: 'errors' | 'slow', stop: 'rollback' | 'healthy') {
  const random = uniform(7);
  const ends: number[] = [];
  for (let run = 0; run < runs; run++) {
    let hits = 0;
    let nextHit = Math.floor(Math.log(random()) / Math.log1p(-rate));
    for (let n = 500; n <= 30_000; n += 500) {
      while (nextHit < n) {
        hits += 1;
        nextHit += 1 + Math.floor(Math.log(random()) / Math.log1p(-rate));
      }
      const limit = metric === 'errors' ? 0.001 : 0.05;
      const shares = stop === 'rollback' ? worseShares(limit) : betterShares(limit);
      if (logEvidence(hits, n, limit, shares) >= Math.log(100)) {
        ends.push(n);
        break;
      }
    }
  }
  ends.sort((a, b) => a - b);
  return { share: ends.length / runs, median: ends[Math.floor(ends.length / 2)] ?? Infinity };
}

describe('the evidence', () => {
  it('equals an independent computation in exact arithmetic', () => {
    expect(reference.length).toBe(88);
    for (const { limit, hits, requests, side, logEvidence: expected } of reference) {
      const shares = side === 'worse' ? worseShares(limit) : betterShares(limit);
      const got = logEvidence(hits, requests, limit, shares);
      expect(Math.abs(got - expected), `${side} ${hits}/${requests} at ${limit}`).toBeLessThan(
        1e-9 * Math.max(1, Math.abs(expected)),
      );
    }
  });

  it('uses the alternatives of the method at a limit of 0.1 %', () => {
    expect(worseShares(0.001).map((q) => Number(q.toFixed(6)))).toEqual([
      0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3,
    ]);
  });

  it('has an alternative even for a limit near certainty', () => {
    expect(worseShares(0.9)).toEqual([0.95]);
  });
});

describe('looking again and again at 30,000 requests', () => {
  it('rolls back at most one in a hundred candidates exactly at the limit', () => {
    expect(simulate(0.001, 1_000, 'errors', 'rollback').share).toBeLessThanOrEqual(0.01);
    expect(simulate(0.05, 300, 'slow', 'rollback').share).toBeLessThanOrEqual(0.01);
  });

  it('catches five times the limit after about 2,000 requests and twice the limit mostly', () => {
    const five = simulate(0.005, 300, 'errors', 'rollback');
    expect(five.share).toBe(1);
    expect(five.median).toBeLessThanOrEqual(2_000);
    expect(simulate(0.002, 300, 'errors', 'rollback').share).toBeGreaterThan(0.8);
  });

  it('catches 7 % slow requests after about 2,000 and shows 3 % to be fine after about 1,500', () => {
    expect(simulate(0.07, 200, 'slow', 'rollback')).toMatchObject({ share: 1, median: 2_000 });
    expect(simulate(0.03, 200, 'slow', 'healthy')).toMatchObject({ share: 1, median: 1_500 });
  });

  it('shows a fifth of the error limit to be fine after about 8,500 requests', () => {
    const fine = simulate(0.0002, 300, 'errors', 'healthy');
    expect(fine.share).toBeGreaterThan(0.98);
    expect(fine.median).toBeGreaterThanOrEqual(8_000);
    expect(fine.median).toBeLessThanOrEqual(9_500);
  });
});

describe('the verdict', () => {
  it('is inconclusive without traffic', () => {
    expect(judge(seen(0, 0, 0, 0), limits)).toMatchObject({ kind: 'inconclusive', reason: 'no traffic yet' });
  });

  it('rolls back on errors, with the numbers', () => {
    const verdict = judge(seen(2_000, 20), limits);
    expect(verdict).toMatchObject({ kind: 'rollback', reason: '1 % of 2000 requests failed (limit 0.1 %)' });
    expect(verdict.evidence[0]).toMatchObject({ metric: 'errorRate', observed: 0.01, limit: 0.001, threshold: 200 });
    expect(verdict.evidence[0]?.eValue).toBeGreaterThan(200);
  });

  it('rolls back on slow answers', () => {
    expect(judge(seen(2_000, 0, 220), limits)).toMatchObject({
      kind: 'rollback',
      reason: '11 % of 2000 requests took over 120 ms (limit 5 %)',
    });
  });

  it('waits for three windows, because errors come in bursts', () => {
    expect(judge(seen(2_000, 20, 0, 2), limits).kind).toBe('inconclusive');
    expect(judge(seen(2_000, 20, 0, 3), limits).kind).toBe('rollback');
  });

  it('does not wait when a fifth of fifty requests failed', () => {
    expect(judge(seen(50, 10, 0, 1), limits).kind).toBe('rollback');
    expect(judge(seen(50, 9, 0, 1), limits).kind).toBe('inconclusive');
    expect(judge(seen(49, 49, 0, 1), limits).kind).toBe('inconclusive');
  });

  it('splits alpha over the two metrics: what would convict at 1/100 alone does not at 1/200', () => {
    const between = [...Array(4_000).keys()].find((n) => {
      const e = logEvidence(8, n, 0.001, worseShares(0.001));
      return n > 8 && e >= Math.log(100) && e < Math.log(200);
    });
    expect(between).toBeDefined();
    expect(judge(seen(between ?? 0, 8), limits).kind).toBe('inconclusive');
  });

  it('is healthy only when both metrics are shown to be fine', () => {
    expect(judge(seen(20_000, 1, 200), limits).kind).toBe('healthy');
    expect(judge(seen(20_000, 1, 950), limits)).toMatchObject({
      kind: 'inconclusive',
      reason: 'not yet known: 4.75 % of 20000 requests took over 120 ms (limit 5 %)',
    });
  });

  it('takes a limit of no errors at all nearly literally', () => {
    expect(judge(seen(1_000, 0), { ...limits, errorRateMax: 0 }).kind).toBe('inconclusive');
    expect(judge(seen(1_000, 2), { ...limits, errorRateMax: 0 }).kind).toBe('rollback');
    expect(judge(seen(1_000, 900), { ...limits, errorRateMax: 1 }).kind).toBe('rollback');
  });

  it('stays finite when everything fails', () => {
    const verdict = judge(seen(1e9, 1e9, 1e9), limits);
    expect(JSON.stringify(verdict.evidence)).not.toContain('null');
  });
});
