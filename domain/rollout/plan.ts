/** A rollout plan is data: one pure machine runs every strategy from it. Durations are in milliseconds here. */

export const STRATEGIES = ['canary', 'blue-green', 'all-at-once'] as const;
export type Strategy = (typeof STRATEGIES)[number];

export interface RolloutStep {
  /** Share of traffic the candidate gets, 0..100, in steps of 0.01. Strictly grows from step to step. */
  readonly weightPercent: number;
  /** How long the step is watched at least before the next one. */
  readonly bakeTimeMs: number;
}

export interface RolloutLimits {
  /** Share of failed requests, 0..1. */
  readonly errorRateMax: number;
  /** p95 of the time to answer, ms. */
  readonly p95MsMax: number;
}

export interface RolloutPlan {
  readonly strategy: Strategy;
  /** Ends with the step of 100 %. */
  readonly steps: readonly RolloutStep[];
  readonly limits: RolloutLimits;
  /** Requests the candidate must have answered in a step before the step may end by itself. */
  readonly minRequests: number;
  /** How often the counters are read, ms. */
  readonly observeEveryMs: number;
  /** How long the old version stays loaded, watched and ready for a rollback after 100 %, ms. */
  readonly keepWarmMs: number;
}

/** What the start of a rollout may replace in the definition's plan; parts that are not given keep its values. */
export interface PlanOverrides extends Partial<Omit<RolloutPlan, 'strategy' | 'limits'>> {
  readonly limits?: Partial<RolloutLimits>;
}
