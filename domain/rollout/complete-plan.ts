import type { CompletePlan, MetricRule, RolloutPlan, Strategy } from './plan.ts';

const ALPHA = 0.01;
const WARM_UP_REQUESTS = 50;
const MIRROR_PERCENT = 100;

/** Metrics a plan watches when it names none. */
export const METRICS_BY_DEFAULT: readonly MetricRule[] = [
  { metric: 'errorRate', action: 'rollback' },
  { metric: 'p95', action: 'rollback' },
  { metric: 'errorRateVsBaseline', action: 'rollback' },
  { metric: 'slowVsBaseline', action: 'rollback' },
  { metric: 'scoreShift', action: 'watch' },
];

/** An order to change everything at once waits for no evidence; everything else does. */
const WITHOUT_PROOF: readonly Strategy[] = ['all-at-once'];

/** The plan with every choice made that it leaves open. */
export function completePlan(plan: RolloutPlan): CompletePlan {
  return {
    ...plan,
    advance: plan.advance ?? (WITHOUT_PROOF.includes(plan.strategy) ? 'noHarm' : 'healthy'),
    baseline: plan.baseline ?? plan.strategy === 'canary',
    alpha: plan.alpha ?? ALPHA,
    warmUpRequests: plan.warmUpRequests ?? WARM_UP_REQUESTS,
    metrics: plan.metrics ?? METRICS_BY_DEFAULT,
    calendar: plan.calendar ?? null,
    mirrorPercent: plan.mirrorPercent ?? (plan.strategy === 'shadow' ? MIRROR_PERCENT : 0),
    endsAtMs: plan.endsAtMs ?? null,
  };
}
