import type { Problem } from '../errors.ts';
import type { PlanOverrides, RolloutPlan } from './plan.ts';

/** A plan has at most this many steps: more than a person would read, far below what a history carries. */
const STEPS_MAX = 50;
/** A year: longer waits are typing mistakes. */
const WAIT_MS_MAX = 365 * 24 * 3_600_000;
/** Faster looks than this cost more than they show. */
const OBSERVE_MS_MIN = 100;

/** The definition's plan with the parts replaced that the start of a rollout names. */
export function overridePlan(plan: RolloutPlan, overrides: PlanOverrides): RolloutPlan {
  return { ...plan, ...overrides, limits: { ...plan.limits, ...overrides.limits } };
}

/** Everything that is wrong with a plan; `prefix` leads each field's path. */
export function checkPlan(plan: RolloutPlan, prefix = 'plan'): readonly Problem[] {
  const problems: Problem[] = [...checkSteps(plan, prefix)];
  const range = (field: string, value: number, min: number, max: number, integer: boolean): void => {
    if (value >= min && value <= max && (!integer || Number.isInteger(value))) return;
    problems.push({
      field: `${prefix}.${field}`,
      message: `${value} is not ${integer ? 'a whole number' : 'a number'} in the allowed range`,
      allowed: [`${min}..${max}`],
    });
  };
  range('limits.errorRateMax', plan.limits.errorRateMax, 0, 1, false);
  range('limits.p95MsMax', plan.limits.p95MsMax, 0.1, 600_000, false);
  range('minRequests', plan.minRequests, 0, 1e9, true);
  range('observeEveryMs', plan.observeEveryMs, OBSERVE_MS_MIN, 3_600_000, true);
  range('keepWarmMs', plan.keepWarmMs, 0, WAIT_MS_MAX, true);
  return problems;
}

function checkSteps({ steps }: RolloutPlan, prefix: string): readonly Problem[] {
  const field = `${prefix}.steps`;
  if (steps.length === 0 || steps.length > STEPS_MAX) {
    return [{ field, message: `${steps.length} steps`, allowed: [`1..${STEPS_MAX} steps`] }];
  }
  const problems: Problem[] = [];
  steps.forEach((step, i) => {
    const { weightPercent: weight, bakeTimeMs } = step;
    const hundredths = Math.round(weight * 100);
    if (!(weight >= 0 && weight <= 100) || Math.abs(weight * 100 - hundredths) > 1e-6) {
      const message = `${weight} is not a weight`;
      problems.push({ field: `${field}[${i}].weightPercent`, message, allowed: ['0..100 in steps of 0.01'] });
    }
    const before = steps[i - 1];
    if (before !== undefined && weight <= before.weightPercent) {
      const message = `${weight} does not grow from the step before (${before.weightPercent})`;
      problems.push({ field: `${field}[${i}].weightPercent`, message });
    }
    if (!(Number.isInteger(bakeTimeMs) && bakeTimeMs >= 0 && bakeTimeMs <= WAIT_MS_MAX)) {
      const message = `${bakeTimeMs} is not a duration in whole ms`;
      problems.push({ field: `${field}[${i}].bakeTimeMs`, message, allowed: [`0..${WAIT_MS_MAX}`] });
    }
  });
  if (steps.at(-1)?.weightPercent !== 100) {
    problems.push({ field, message: 'the last step is not the one of 100 %' });
  }
  return problems;
}
