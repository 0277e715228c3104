/** A rollout plan is data: one pure machine runs every strategy from it. Durations are in milliseconds here. */
import type { ApproverRole } from '../approver-role.ts';
import type { Calendar } from '../calendar.ts';

export const STRATEGIES = ['canary', 'blue-green', 'launch-ramp', 'shadow', 'ab', 'all-at-once'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** `hold`: stays where it is and goes on waiting; `ask`: pauses, and a person decides; `rollback`: the way back. */
export const MAX_WAIT_POLICIES = ['hold', 'rollback', 'ask'] as const;
export type MaxWaitPolicy = (typeof MAX_WAIT_POLICIES)[number];

/** What must be known before a step may end: `healthy` = shown within its limits, `noHarm` = nothing against it. */
export const ADVANCE_RULES = ['healthy', 'noHarm'] as const;
export type AdvanceRule = (typeof ADVANCE_RULES)[number];

export const METRICS = [
  'errorRate',
  'p95',
  'errorRateVsBaseline',
  'slowVsBaseline',
  'scoreShift',
  'accuracy',
  'outcome',
] as const;
export type RolloutMetric = (typeof METRICS)[number];

export interface MetricRule {
  readonly metric: RolloutMetric;
  /** Of `outcome`: the business event, as reported. */
  readonly event?: string;
  /** `watch`: shown and recorded, decides nothing. */
  readonly action: 'rollback' | 'watch';
  /** Of `outcome` and `accuracy`: the relative loss that is too much, 0..1 (0.05 = 5 %). */
  readonly degradationMax?: number;
  /** Of `outcome`: which way is good. Default `higher`; a complaint is `lower`. */
  readonly better?: 'higher' | 'lower';
}

/** People who must agree before a step begins, on the evidence as it is then. */
export interface ApprovalRule {
  readonly role: ApproverRole;
  /** Two means two different persons. */
  readonly persons: 1 | 2;
  /** An approval older than this is void. */
  readonly expiresAfterMs: number;
  /** What a rejection does. Default `rollback`. */
  readonly onReject?: 'rollback' | 'hold';
}

export interface RolloutStep {
  /** Share of traffic the candidate gets, 0..100, in steps of 0.01. Strictly grows from step to step. */
  readonly weightPercent: number;
  /** How long the step is watched at least before the next one. */
  readonly bakeTimeMs: number;
  /** How long the step waits for evidence, traffic and approvals before `onMaxWait` applies. Absent: without limit. */
  readonly maxWaitMs?: number;
  /** Default `hold`. */
  readonly onMaxWait?: MaxWaitPolicy;
  /** Needed before this step begins. */
  readonly approvals?: readonly ApprovalRule[];
}

export interface RolloutLimits {
  /** Share of failed requests, 0..1. */
  readonly errorRateMax: number;
  /** p95 of the time to answer, ms. */
  readonly p95MsMax: number;
  /** Shadow: share of pairs with another label, 0..1. Watched; default 0.1. */
  readonly disagreementMax?: number;
  /** Shadow: mean change of the score, 0..1. Watched; default 0.05. */
  readonly scoreShiftMax?: number;
  /** Shadow: mean extra time to answer, ms. Default a quarter of `p95MsMax`. */
  readonly slowerMsMax?: number;
}

/** What `completePlan` fills in where a plan does not say it. */
export interface PlanChoices {
  readonly advance: AdvanceRule;
  /** A part of the champion's traffic, as large as the candidate's, is counted apart and compared with it. */
  readonly baseline: boolean;
  /** Probability of rolling back a candidate that is within all its limits, over the whole rollout. */
  readonly alpha: number;
  /** Requests of each arm that do not count: caches fill, code is compiled. */
  readonly warmUpRequests: number;
  readonly metrics: readonly MetricRule[];
  /** When steps may be taken; `null`: always. */
  readonly calendar: Calendar | null;
  /** Shadow: the share of requests that are copied, 0..100. */
  readonly mirrorPercent: number;
  /** A/B: the experiment ends then, epoch ms, decided or not; `null`: only by a decision. */
  readonly endsAtMs: number | null;
}

export interface RolloutPlan extends Partial<PlanChoices> {
  readonly strategy: Strategy;
  /** Ends with the step of 100 %. A shadow has one step of 0 %; an A/B test one of its split, then 100 %. */
  readonly steps: readonly RolloutStep[];
  readonly limits: RolloutLimits;
  /** Requests the candidate must have answered in a step before the step may end by itself. */
  readonly minRequests: number;
  /** How often the counters are read, ms. */
  readonly observeEveryMs: number;
  /** How long the old version stays loaded, watched and ready for a rollback after 100 %, ms. */
  readonly keepWarmMs: number;
}

/** A plan with every choice made. */
export type CompletePlan = RolloutPlan & PlanChoices;

/** What the start of a rollout may replace in the definition's plan; parts that are not given keep its values. */
export interface PlanOverrides extends Partial<Omit<RolloutPlan, 'strategy' | 'limits'>> {
  readonly limits?: Partial<RolloutLimits>;
}
