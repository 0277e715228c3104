import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assessPlan, type TrafficForecast } from '../../../domain/assess-plan.ts';
import { completePlan } from '../../../domain/rollout/complete-plan.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';

const HOUR_MS = 3_600_000;
const canary: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 2 * HOUR_MS },
    { weightPercent: 25, bakeTimeMs: 6 * HOUR_MS },
    { weightPercent: 50, bakeTimeMs: 12 * HOUR_MS },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  observeEveryMs: 10_000,
  keepWarmMs: HOUR_MS,
};
const busy: TrafficForecast = {
  requestsPerSecond: 200,
  errorRate: 0.0002,
  slowShare: 0.01,
  usersPerDay: null,
  outcomes: {},
};

describe('a plan before it starts', () => {
  it('is decided within its bake times by much traffic', () => {
    const { steps, expectedMs, decidable, warnings } = assessPlan(completePlan(canary), busy);
    expect(steps.map((s) => s.weightPercent)).toEqual([5, 25, 50]);
    expect(expectedMs).toBe(20 * HOUR_MS);
    expect([decidable, warnings]).toEqual([true, []]);
    // About 11,000 requests at 10 a second; the later steps have that behind them.
    expect(steps[0]?.toHealthyMs).toBeGreaterThan(12 * 60_000);
    expect(steps[0]?.toHealthyMs).toBeLessThan(20 * 60_000);
    expect(steps[1]?.toHealthyMs).toBe(0);
    const { x2, x5, x10 } = steps[0]?.detectMs ?? { x2: 0, x5: 0, x10: 0 };
    expect(x10).toBeLessThan(90_000);
    expect(x5).toBeGreaterThan(x10 ?? 0);
    expect(x2).toBeGreaterThan(x5 ?? 0);
  });

  it('says that little traffic does not decide it in time', () => {
    const quiet = { ...busy, requestsPerSecond: 0.5 };
    const impatient = { ...canary, steps: canary.steps.map((s) => ({ ...s, maxWaitMs: 24 * HOUR_MS })) };
    const { decidable, warnings, steps } = assessPlan(completePlan(impatient), quiet);
    expect(decidable).toBe(false);
    expect(steps[0]?.undecided[0]).toMatch(/^health takes [\d,]+ requests$/);
    expect(warnings[0]).toMatch(/^the step of 5 % is not decided in time: health takes/);
    const patient = assessPlan(completePlan(canary), quiet);
    expect(patient.warnings[0]).toMatch(
      /^the step of 5 % is expected to wait \d+(\.\d)? h for evidence, beyond its 2 h$/,
    );
  });

  it('never ends by itself without traffic', () => {
    const { expectedMs, warnings } = assessPlan(completePlan(canary), { ...busy, requestsPerSecond: 0 });
    expect(expectedMs).toBeNull();
    expect(warnings[0]).toBe('there is no traffic: no step will end by itself');
  });

  it('warns of a limit that the champion breaks itself', () => {
    const { warnings, decidable } = assessPlan(completePlan(canary), { ...busy, errorRate: 0.002, slowShare: 0.06 });
    expect(decidable).toBe(false);
    expect(warnings.slice(0, 2)).toEqual([
      'the champion itself fails in 0.2 % of its requests: the limit of 0.1 % would roll a candidate like it back',
      "6 % of the champion's answers take over 120 ms: a candidate like it would be rolled back",
    ]);
  });

  it('says how many users a business metric takes', () => {
    const metrics = [{ metric: 'outcome', event: 'order', action: 'rollback' }] as const;
    const plan = completePlan({ ...canary, metrics });
    const { warnings } = assessPlan(plan, { ...busy, usersPerDay: 10_000, outcomes: { order: 0.1 } });
    expect(warnings).toEqual([
      'order: a loss of 5 % from 10 % takes 43,522 users per arm; the candidate is expected to meet 3,167: this plan cannot prove it',
    ]);
    const many = assessPlan(plan, { ...busy, usersPerDay: 1e6, outcomes: { order: 0.1 } });
    expect(many.warnings).toEqual([]);
  });

  it('waits for no proof where the plan asks for none', () => {
    const plan = completePlan({ ...canary, advance: 'noHarm' });
    expect(assessPlan(plan, { ...busy, requestsPerSecond: 1 }).expectedMs).toBe(20 * HOUR_MS);
  });

  it('takes no longer with more traffic, and is JSON', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 1e4, noNaN: true }), (requestsPerSecond) => {
        const less = assessPlan(completePlan(canary), { ...busy, requestsPerSecond });
        const more = assessPlan(completePlan(canary), { ...busy, requestsPerSecond: requestsPerSecond * 2 });
        expect(more.expectedMs).toBeLessThanOrEqual(less.expectedMs ?? Infinity);
        expect(JSON.parse(JSON.stringify(less))).toEqual(less);
      }),
      { numRuns: 50 },
    );
  });
});
