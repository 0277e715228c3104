import { describe, expect, it } from 'vitest';
import exact from '../../../reference/judge/values.json' with { type: 'json' };
import reference from '../../../reference/verdicts.json' with { type: 'json' };
import { logWorseThanBaseline } from '../../../../domain/statistics/baseline-evidence.ts';
import { burstSize } from '../../../../domain/statistics/dispersion.ts';
import {
  betterShares,
  logAgainst,
  logEvidence,
  logHealth,
  worseShares,
} from '../../../../domain/statistics/limit-evidence.ts';
import { logGamma } from '../../../../domain/statistics/log-gamma.ts';
import {
  contrast,
  logMeanEvidence,
  standardErrors,
  tightestAt,
} from '../../../../domain/statistics/mean-difference.ts';
import {
  cleanRequestsFor,
  normalQuantile,
  normalShare,
  requestsToDetect,
  requestsToHealth,
  usersPerArm,
} from '../../../../domain/statistics/power.ts';
import { logSplitEvidence } from '../../../../domain/statistics/sample-ratio.ts';
import { logScoreShift, stabilityIndex } from '../../../../domain/statistics/score-shift.ts';
import type { WindowCounts } from '../../../../domain/statistics/windows.ts';

function near(got: number, expected: number, tolerance = 1e-9): void {
  expect(Math.abs(got - expected), `${got} for ${expected}`).toBeLessThan(tolerance * Math.max(1, Math.abs(expected)));
}

const windowOf = ([startMs = 0, durationMs = 0, requests = 0, hits = 0]: readonly number[]): WindowCounts => {
  return { startMs, durationMs, requests, hits };
};

describe('computed apart from the code', () => {
  it('the mixture over independent requests, in exact arithmetic', () => {
    expect(exact.length).toBe(88);
    for (const { limit, hits, requests, side, logEvidence: expected } of exact) {
      near(logEvidence(hits, requests, limit, side === 'worse' ? worseShares(limit) : betterShares(limit)), expected);
    }
  });

  it('the evidence by windows, with merged windows, restarts, and errors in bursts', () => {
    expect(reference.limit.length).toBe(24);
    for (const { limit, bursts, windows, against, health } of reference.limit) {
      near(logAgainst(windows.map(windowOf), limit, bursts), against, 1e-8);
      near(logHealth(windows.map(windowOf), limit, bursts), health, 1e-8);
    }
  });

  it('the evidence beside a baseline under changing shares of the traffic', () => {
    for (const { r0, pairs, log } of reference.baseline) {
      const windows = pairs.map((pair) => {
        const [startMs = 0, durationMs = 0, n = 0, k = 0, m = 0, j = 0] = pair;
        return { candidate: windowOf([startMs, durationMs, n, k]), other: windowOf([startMs, durationMs, m, j]) };
      });
      near(logWorseThanBaseline(windows, r0, 1), log);
    }
  });

  it('the asymptotic confidence sequence and the mixture behind it', () => {
    for (const c of reference.mean) {
      near(tightestAt(c.tightAt, c.alpha), c.rho);
      near(standardErrors(c.t, c.rho, c.alpha), c.standardErrors);
      near(logMeanEvidence(c.z, c.t, c.rho), c.log, 1e-6);
      // Zero lies on the border of the sequence exactly when the evidence is at its threshold.
      near(logMeanEvidence(c.standardErrors, c.t, c.rho), -Math.log(c.alpha));
      expect(c.atTheRho / c.tightestPossible).toBeLessThan(1.01);
    }
  });

  it('the contrast of two means', () => {
    const { ours, theirs, factor, estimate, standardError } = reference.contrast;
    const got = contrast(ours, theirs, factor);
    near(got?.estimate ?? NaN, estimate);
    near(got?.standardError ?? NaN, standardError);
  });

  it('the logarithm of the gamma function, the split of the traffic, and the shift of the scores', () => {
    for (const { x, log } of reference.gamma) near(logGamma(x), log, 1e-12);
    for (const { counts, shares, log } of reference.split) near(logSplitEvidence(counts, shares), log);
    for (const { ours, theirs, log, stabilityIndex: index } of reference.score) {
      near(logScoreShift(ours, theirs), log);
      near(stabilityIndex(ours, theirs), index);
    }
  });

  it('the size of bursts', () => {
    near(burstSize([reference.bursts.windows.map(windowOf)]), reference.bursts.size);
  });

  it('what a plan can show before it starts', () => {
    const { power } = reference;
    expect([power.usersPerArm, power.clean95, power.clean99]).toEqual([43_522, 2_995, 4_603]);
    expect(usersPerArm(0.1, 0.05)).toBe(power.usersPerArm);
    expect(cleanRequestsFor(0.001, 0.05)).toBe(power.clean95);
    expect(cleanRequestsFor(0.001, 0.01)).toBe(power.clean99);
    expect(requestsToDetect(0.005, 0.001, 400)).toBe(power.detectFive);
    expect(requestsToHealth(0.0002, 0.001, 100)).toBe(power.healthyFifth);
    near(normalQuantile(0.8), power.quantile80);
    near(normalShare(1.7), power.share, 1e-12);
  });
});
