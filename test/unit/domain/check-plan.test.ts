import { describe, expect, it } from 'vitest';
import { checkPlan, overridePlan } from '../../../domain/rollout/check-plan.ts';
import { BLUE_GREEN, CANARY } from './rollout-fixtures.ts';

const fields = (change: object): readonly string[] => checkPlan({ ...CANARY, ...change }).map((p) => p.field);

describe('a plan', () => {
  it('is fine as the definitions write it', () => {
    expect(checkPlan(CANARY)).toEqual([]);
    expect(checkPlan(BLUE_GREEN)).toEqual([]);
    expect(
      fields({
        steps: [
          { weightPercent: 0.01, bakeTimeMs: 0 },
          { weightPercent: 100, bakeTimeMs: 0 },
        ],
      }),
    ).toEqual([]);
  });

  it('needs weights that grow to 100 in steps of 0.01, and whole durations', () => {
    const step = (weightPercent: number, bakeTimeMs = 0) => ({ weightPercent, bakeTimeMs });
    expect(fields({ steps: [] })).toEqual(['plan.steps']);
    expect(fields({ steps: [step(50)] })).toEqual(['plan.steps']);
    expect(fields({ steps: [step(50), step(50), step(100)] })).toEqual(['plan.steps[1].weightPercent']);
    expect(fields({ steps: [step(0.005), step(100)] })).toEqual(['plan.steps[0].weightPercent']);
    expect(fields({ steps: [step(-1), step(100, -1)] })).toEqual([
      'plan.steps[0].weightPercent',
      'plan.steps[1].bakeTimeMs',
    ]);
    expect(fields({ steps: [step(NaN), step(100)] })).toContain('plan.steps[0].weightPercent');
    expect(fields({ steps: Array.from({ length: 51 }, (_, i) => step(i)) })).toEqual(['plan.steps']);
  });

  it('needs numbers in range, and names every one that is not', () => {
    expect(
      fields({
        limits: { errorRateMax: 2, p95MsMax: 0 },
        minRequests: 1.5,
        observeEveryMs: 1,
        keepWarmMs: NaN,
      }),
    ).toEqual([
      'plan.limits.errorRateMax',
      'plan.limits.p95MsMax',
      'plan.minRequests',
      'plan.observeEveryMs',
      'plan.keepWarmMs',
    ]);
  });

  it('keeps what the start of a rollout does not replace', () => {
    expect(overridePlan(CANARY, {})).toEqual(CANARY);
    expect(overridePlan(CANARY, { limits: { p95MsMax: 80 }, minRequests: 0 })).toEqual({
      ...CANARY,
      limits: { errorRateMax: 0.001, p95MsMax: 80 },
      minRequests: 0,
    });
  });
});
