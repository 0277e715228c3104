import type { CompletePlan, MetricRule, RolloutStep } from './rollout/plan.ts';
import { requestsToDetect, requestsToHealth, usersPerArm } from './statistics/power.ts';
import { SLOW_SHARE_MAX } from './verdicts/request-metrics.ts';
import { grouped, percent, short } from './verdicts/words.ts';

/** Today's traffic, as the champion answers it. */
export interface TrafficForecast {
  readonly requestsPerSecond: number;
  /** Share of failed requests, 0..1. */
  readonly errorRate: number;
  /** Share of answers over the latency limit, 0..1. */
  readonly slowShare: number;
  /** Different users a day; `null` when not known. */
  readonly usersPerDay: number | null;
  /** Share of users with the event, 0..1, by event. */
  readonly outcomes: Readonly<Record<string, number>>;
}

export interface StepAssessment {
  readonly weightPercent: number;
  readonly bakeTimeMs: number;
  readonly maxWaitMs: number | null;
  /** From the step's beginning until a candidate like the champion is shown to be fine; 0: earlier steps did; `null`: never. */
  readonly toHealthyMs: number | null;
  /** How long the step is expected to last: its bake time, or the evidence it waits for; `null`: it would not end. */
  readonly expectedMs: number | null;
  /** Until a candidate with so many times the error limit is rolled back, from the moment it breaks; `null`: never. */
  readonly detectMs: Readonly<Record<'x2' | 'x5' | 'x10', number | null>>;
  /** What is not expected to be known within `maxWaitMs`, in words. */
  readonly undecided: readonly string[];
}

export interface PlanAssessment {
  readonly steps: readonly StepAssessment[];
  /** Of the whole rollout up to 100 %; `null`: a step would not end. */
  readonly expectedMs: number | null;
  /** Whether every step that waits for evidence is expected to get it in time. */
  readonly decidable: boolean;
  readonly warnings: readonly string[];
}

const DAY_MS = 24 * 3_600_000;
/** A step that lasts this many times its bake time, because of the evidence it waits for, is worth a warning. */
const SLOWER = 2;

/** Whether a plan can decide what it asks for, from the traffic of today: closed forms, no simulation. */
export function assessPlan(plan: CompletePlan, traffic: TrafficForecast): PlanAssessment {
  const needed = requestsForHealth(plan, traffic);
  const steps: StepAssessment[] = [];
  let answered = 0;
  for (const step of plan.steps) {
    if (step.weightPercent >= 100 && plan.steps.length > 1) continue;
    const assessed = assessStep(plan, step, traffic, needed, answered);
    steps.push(assessed);
    answered += (perSecond(step, traffic) * (assessed.expectedMs ?? step.bakeTimeMs)) / 1000;
  }
  const endless = steps.some((s) => s.expectedMs === null);
  return {
    steps,
    expectedMs: endless ? null : steps.reduce((sum, s) => sum + (s.expectedMs ?? 0), 0),
    decidable: steps.every((s) => s.undecided.length === 0),
    warnings: [...stepWarnings(plan, steps, traffic), ...outcomeWarnings(plan, traffic, steps)],
  };
}

/** Requests of the candidate until every request metric that decides is expected to be shown fine; `null`: never. */
function requestsForHealth(plan: CompletePlan, traffic: TrafficForecast): number | null {
  const threshold = 1 / plan.alpha;
  const rules = plan.metrics.filter((m) => m.action === 'rollback').map((m) => m.metric);
  const has = (...names: readonly MetricRule['metric'][]) => names.some((name) => rules.includes(name));
  const needs: (number | null)[] = [];
  if (has('errorRate', 'errorRateVsBaseline')) {
    needs.push(requestsToHealth(traffic.errorRate, plan.limits.errorRateMax, threshold));
  }
  if (has('p95', 'slowVsBaseline')) needs.push(requestsToHealth(traffic.slowShare, SLOW_SHARE_MAX, threshold));
  return needs.reduce<number | null>((most, n) => (most === null || n === null ? null : Math.max(most, n)), 0);
}

const perSecond = (step: RolloutStep, traffic: TrafficForecast): number =>
  (traffic.requestsPerSecond * step.weightPercent) / 100;

function assessStep(
  plan: CompletePlan,
  step: RolloutStep,
  traffic: TrafficForecast,
  needed: number | null,
  answered: number,
): StepAssessment {
  const rate = perSecond(step, traffic);
  const toMs = (requests: number | null): number | null => {
    if (requests === null) return null;
    if (requests <= 0) return 0;
    return rate === 0 ? null : Math.ceil((requests / rate) * 1000);
  };
  const toHealthyMs = toMs(needed === null ? null : Math.max(0, needed + plan.warmUpRequests - answered));
  const trafficMs = step.weightPercent === 0 ? 0 : toMs(plan.minRequests);
  const waits = [step.bakeTimeMs, trafficMs, plan.advance === 'healthy' && step.weightPercent > 0 ? toHealthyMs : 0];
  const expectedMs = waits.reduce<number | null>(
    (most, ms) => (most === null || ms === null ? null : Math.max(most, ms)),
    0,
  );
  const maxWaitMs = step.maxWaitMs ?? null;
  const undecided: string[] = [];
  const late = (ms: number | null) => ms === null || (maxWaitMs !== null && ms > maxWaitMs);
  if (plan.advance === 'healthy' && step.weightPercent > 0 && late(toHealthyMs)) {
    undecided.push(
      `health takes ${needed === null ? 'more traffic than there will be' : `${grouped(needed)} requests`}`,
    );
  }
  if (late(trafficMs)) undecided.push(`${grouped(plan.minRequests)} requests are not answered in time`);
  const rollbacks = Math.max(1, plan.metrics.filter((m) => m.action === 'rollback').length);
  const detect = (times: number): number | null => {
    const share = Math.min(1, times * plan.limits.errorRateMax);
    return toMs(requestsToDetect(share, plan.limits.errorRateMax, rollbacks / plan.alpha));
  };
  return {
    weightPercent: step.weightPercent,
    bakeTimeMs: step.bakeTimeMs,
    maxWaitMs,
    toHealthyMs,
    expectedMs,
    detectMs: { x2: detect(2), x5: detect(5), x10: detect(10) },
    undecided,
  };
}

function stepWarnings(plan: CompletePlan, steps: readonly StepAssessment[], traffic: TrafficForecast): string[] {
  const warnings: string[] = [];
  if (traffic.requestsPerSecond === 0) warnings.push('there is no traffic: no step will end by itself');
  const { errorRateMax } = plan.limits;
  if (traffic.errorRate >= errorRateMax) {
    warnings.push(
      `the champion itself fails in ${percent(traffic.errorRate)} of its requests: the limit of ${percent(errorRateMax)} would roll a candidate like it back`,
    );
  }
  if (traffic.slowShare >= SLOW_SHARE_MAX) {
    warnings.push(
      `${percent(traffic.slowShare)} of the champion's answers take over ${plan.limits.p95MsMax} ms: a candidate like it would be rolled back`,
    );
  }
  for (const { weightPercent, bakeTimeMs, expectedMs, undecided } of steps) {
    const name = `the step of ${short(weightPercent)} %`;
    if (undecided.length > 0) warnings.push(`${name} is not decided in time: ${undecided.join('; ')}`);
    else if (expectedMs !== null && bakeTimeMs > 0 && expectedMs > SLOWER * bakeTimeMs) {
      warnings.push(`${name} is expected to wait ${hours(expectedMs)} for evidence, beyond its ${hours(bakeTimeMs)}`);
    }
  }
  return warnings;
}

/** A business metric moves slowly: it is said before the start what the plan's time cannot show. */
function outcomeWarnings(plan: CompletePlan, traffic: TrafficForecast, steps: readonly StepAssessment[]): string[] {
  return plan.metrics
    .filter((m) => m.metric === 'outcome' || m.metric === 'accuracy')
    .flatMap((rule) => {
      const name = rule.event ?? rule.metric;
      const base = traffic.outcomes[name];
      const loss = rule.degradationMax ?? 0.05;
      if (base === undefined || base <= 0 || base >= 1)
        return [`${name}: no share is known yet, so its power is not either`];
      const users = usersPerArm(base, loss);
      const needs = `${name}: a loss of ${percent(loss)} from ${percent(base)} takes ${grouped(users)} users per arm`;
      if (traffic.usersPerDay === null) return [needs];
      const inPlan = steps.reduce(
        (sum, s) =>
          sum + ((traffic.usersPerDay ?? 0) * s.weightPercent * (s.expectedMs ?? s.bakeTimeMs)) / (100 * DAY_MS),
        0,
      );
      if (inPlan >= users) return [];
      return [`${needs}; the candidate is expected to meet ${grouped(inPlan)}: this plan cannot prove it`];
    });
}

const hours = (ms: number): string => (ms < 3_600_000 ? `${short(ms / 60_000)} min` : `${short(ms / 3_600_000)} h`);
