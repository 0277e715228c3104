import { APPROVER_ROLES } from '../approver-role.ts';
import { checkCalendar } from '../calendar.ts';
import type { Problem } from '../errors.ts';
import { ADVANCE_RULES, MAX_WAIT_POLICIES, METRICS, type PlanOverrides, type RolloutPlan } from './plan.ts';
import { completePlan } from './complete-plan.ts';

/** A plan has at most this many steps: more than a person would read, far below what a history carries. */
const STEPS_MAX = 50;
/** A year: longer waits are typing mistakes. */
const WAIT_MS_MAX = 365 * 24 * 3_600_000;
/** Faster looks than this cost more than they show. */
const OBSERVE_MS_MIN = 100;
/** Each metric costs a part of alpha, and a line on every screen. */
const METRICS_MAX = 20;
const RULES_MAX = 4;

type Report = (field: string, message: string, ...allowed: string[]) => void;

/** The definition's plan with the parts replaced that the start of a rollout names. */
export function overridePlan(plan: RolloutPlan, overrides: PlanOverrides): RolloutPlan {
  return { ...plan, ...overrides, limits: { ...plan.limits, ...overrides.limits } };
}

/** Everything that is wrong with a plan; `prefix` leads each field's path. */
export function checkPlan(plan: RolloutPlan, prefix = 'plan'): readonly Problem[] {
  const problems: Problem[] = [];
  const report: Report = (field, message, ...allowed) => {
    problems.push({ field: `${prefix}.${field}`, message, ...(allowed.length === 0 ? {} : { allowed }) });
  };
  checkSteps(plan, report);
  checkNumbers(plan, report);
  checkMetrics(plan, report);
  checkStrategy(plan, report);
  if (plan.calendar != null) problems.push(...checkCalendar(plan.calendar, `${prefix}.calendar`));
  return problems;
}

function checkNumbers(plan: RolloutPlan, report: Report): void {
  const full = completePlan(plan);
  const range = (field: string, value: number, min: number, max: number, integer = false): void => {
    if (value >= min && value <= max && (!integer || Number.isInteger(value))) return;
    const what = integer ? 'a whole number' : 'a number';
    report(field, `${value} is not ${what} in the allowed range`, `${min}..${max}`);
  };
  range('limits.errorRateMax', plan.limits.errorRateMax, 0, 1);
  range('limits.p95MsMax', plan.limits.p95MsMax, 0.1, 600_000);
  const { disagreementMax, scoreShiftMax, slowerMsMax } = plan.limits;
  if (disagreementMax !== undefined) range('limits.disagreementMax', disagreementMax, 0, 1);
  // Mean differences are measured in parts of their limit: none is too small to be one.
  if (scoreShiftMax !== undefined) range('limits.scoreShiftMax', scoreShiftMax, 1e-6, 1);
  if (slowerMsMax !== undefined) range('limits.slowerMsMax', slowerMsMax, 0.01, 600_000);
  range('minRequests', plan.minRequests, 0, 1e9, true);
  range('observeEveryMs', plan.observeEveryMs, OBSERVE_MS_MIN, 3_600_000, true);
  range('keepWarmMs', plan.keepWarmMs, 0, WAIT_MS_MAX, true);
  range('alpha', full.alpha, 1e-6, 0.2);
  range('warmUpRequests', full.warmUpRequests, 0, 1e6, true);
  range('mirrorPercent', full.mirrorPercent, 0, 100);
  if (!ADVANCE_RULES.includes(full.advance)) report('advance', `"${full.advance}" is no rule`, ...ADVANCE_RULES);
  if (full.endsAtMs !== null) range('endsAtMs', full.endsAtMs, 0, 4e12, true);
}

function checkMetrics({ metrics }: RolloutPlan, report: Report): void {
  if (metrics === undefined) return;
  if (metrics.length === 0 || metrics.length > METRICS_MAX) {
    report('metrics', `${metrics.length} metrics`, `1..${METRICS_MAX} metrics`);
  }
  const seen = new Set<string>();
  metrics.forEach((rule, i) => {
    const field = `metrics[${i}]`;
    if (!METRICS.includes(rule.metric)) report(`${field}.metric`, `"${rule.metric}" is no metric`, ...METRICS);
    const name = `${rule.metric}/${rule.event ?? ''}`;
    if (seen.has(name)) report(field, `${rule.event ?? rule.metric} is named twice`);
    seen.add(name);
    if ((rule.metric === 'outcome') !== (rule.event !== undefined)) {
      report(
        `${field}.event`,
        rule.event === undefined ? 'is missing: which outcome' : `is only for the metric outcome`,
      );
    }
    const loss = rule.degradationMax;
    if (loss === undefined) return;
    if (rule.metric !== 'outcome' && rule.metric !== 'accuracy') {
      report(`${field}.degradationMax`, 'is only for the metrics outcome and accuracy');
    } else if (!(loss > 0 && loss <= 1)) {
      report(`${field}.degradationMax`, `${loss} is not a share`, 'more than 0, at most 1');
    }
  });
}

function checkStrategy(plan: RolloutPlan, report: Report): void {
  const { strategy, steps } = plan;
  const first = steps[0]?.weightPercent;
  if (strategy === 'shadow') {
    if (steps.length !== 1 || first !== 0) report('steps', 'a shadow has one step of 0 %: it answers nobody');
    if (completePlan(plan).mirrorPercent <= 0)
      report('mirrorPercent', 'a shadow needs copies', 'more than 0, at most 100');
    return;
  }
  if (plan.mirrorPercent !== undefined && plan.mirrorPercent !== 0) {
    report('mirrorPercent', `is only for the strategy shadow, not for ${strategy}`);
  }
  if (strategy === 'ab' && (steps.length !== 2 || first === undefined || first <= 0)) {
    report('steps', 'an A/B test has its split and then 100 %: two steps');
  }
  if (strategy !== 'ab' && plan.endsAtMs != null)
    report('endsAtMs', `is only for the strategy ab, not for ${strategy}`);
}

function checkSteps({ steps, strategy }: RolloutPlan, report: Report): void {
  if (steps.length === 0 || steps.length > STEPS_MAX) {
    report('steps', `${steps.length} steps`, `1..${STEPS_MAX} steps`);
    return;
  }
  steps.forEach((step, i) => {
    const field = `steps[${i}]`;
    const { weightPercent: weight, bakeTimeMs } = step;
    const hundredths = Math.round(weight * 100);
    if (!(weight >= 0 && weight <= 100) || Math.abs(weight * 100 - hundredths) > 1e-6) {
      report(`${field}.weightPercent`, `${weight} is not a weight`, '0..100 in steps of 0.01');
    }
    const before = steps[i - 1];
    if (before !== undefined && weight <= before.weightPercent) {
      report(`${field}.weightPercent`, `${weight} does not grow from the step before (${before.weightPercent})`);
    }
    checkWait(`${field}.bakeTimeMs`, bakeTimeMs, report);
    if (step.maxWaitMs !== undefined) {
      checkWait(`${field}.maxWaitMs`, step.maxWaitMs, report);
      if (step.maxWaitMs < bakeTimeMs) report(`${field}.maxWaitMs`, `${step.maxWaitMs} is less than the bake time`);
    }
    if (step.onMaxWait !== undefined && !MAX_WAIT_POLICIES.includes(step.onMaxWait)) {
      report(`${field}.onMaxWait`, `"${step.onMaxWait}" is no policy`, ...MAX_WAIT_POLICIES);
    }
    checkApprovals(step.approvals ?? [], `${field}.approvals`, report);
  });
  if (strategy !== 'shadow' && steps.at(-1)?.weightPercent !== 100) {
    report('steps', 'the last step is not the one of 100 %');
  }
}

function checkApprovals(
  rules: NonNullable<RolloutPlan['steps'][number]['approvals']>,
  field: string,
  report: Report,
): void {
  if (rules.length > RULES_MAX) report(field, `${rules.length} rules`, `0..${RULES_MAX} rules`);
  rules.forEach((rule, i) => {
    const path = `${field}[${i}]`;
    if (!APPROVER_ROLES.includes(rule.role)) report(`${path}.role`, `"${rule.role}" is no role`, ...APPROVER_ROLES);
    if (![1, 2].includes(rule.persons)) report(`${path}.persons`, `${rule.persons} persons`, '1', '2');
    checkWait(`${path}.expiresAfterMs`, rule.expiresAfterMs, report);
    if (rule.expiresAfterMs === 0) report(`${path}.expiresAfterMs`, 'would be void at once');
    if (rules.slice(0, i).some((r) => r.role === rule.role)) report(`${path}.role`, `${rule.role} is named twice`);
  });
}

function checkWait(field: string, ms: number, report: Report): void {
  if (Number.isInteger(ms) && ms >= 0 && ms <= WAIT_MS_MAX) return;
  report(field, `${ms} is not a duration in whole ms`, `0..${WAIT_MS_MAX}`);
}
