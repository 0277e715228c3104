import type { VariantCounts } from './records.ts';
import type { MetricRule, RolloutLimits, RolloutMetric } from './rollout/plan.ts';

/**
 * The seam of the rollout statistics: counters in, verdict out, pure. A judge is asked at every look.
 *
 * `champion` is the rest of production: the champion's traffic without the baseline.
 */
export const ARMS = ['candidate', 'baseline', 'champion'] as const;
export type Arm = (typeof ARMS)[number];

/**
 * Counters of one stretch of time. The windows of an observation do not overlap, are in order of time, and each lies
 * within one set of weights: a change of weights begins a new window.
 */
export interface ArmWindow {
  /** Epoch ms. */
  readonly startMs: number;
  readonly durationMs: number;
  /** As configured while the window lasted, 0..100; 0 for an arm that is not routed. */
  readonly weights: Readonly<Record<Arm, number>>;
  readonly counts: Readonly<Record<Arm, VariantCounts>>;
}

/**
 * How long windows are by the age of the traffic in them: short ones where the judge looks for a fresh break (errors
 * within a window count as one burst), merged ones before. A rollout of 30 days has fewer than `WINDOWS_MAX`.
 */
export const WINDOW_LADDER: readonly { readonly youngerThanMs: number; readonly windowMs: number }[] = [
  { youngerThanMs: 4 * 60_000, windowMs: 2_000 },
  { youngerThanMs: 3_600_000, windowMs: 60_000 },
  { youngerThanMs: 24 * 3_600_000, windowMs: 1_200_000 },
  { youngerThanMs: Infinity, windowMs: 24 * 3_600_000 },
];
export const WINDOWS_MAX = 400;

/** A business event per arm. Unit = user: each user adds one value, however often the event came. */
export interface OutcomeStats {
  /** `ACCURACY_EVENT` for the share of predictions whose label came true; here a user is a labelled prediction. */
  readonly event: string;
  readonly arm: Arm;
  readonly users: number;
  /** Of the users' values: of 0 and 1 for an event that comes or does not. */
  readonly sum: number;
  readonly sumOfSquares: number;
}

/** Cannot be the name of a reported event. */
export const ACCURACY_EVENT = '$accuracy';

/** Pairs of answers to the same request; differences are the shadow's minus the champion's. */
export interface ShadowStats {
  readonly pairs: number;
  /** Pairs with different labels. */
  readonly disagreements: number;
  readonly shadowErrors: number;
  readonly scoreDiffSum: number;
  readonly scoreDiffSumOfSquares: number;
  readonly latencyDiffSumMs: number;
  readonly latencyDiffSumOfSquaresMs: number;
}

/** Scores are counted in bins of equal width over 0..1. */
export const SCORE_BINS = 20;

export interface ScoreBins {
  readonly arm: Arm;
  /** `SCORE_BINS` counts. */
  readonly bins: readonly number[];
}

export interface Observation {
  /** Summed since the candidate first got traffic in this rollout. */
  readonly candidate: VariantCounts;
  readonly champion: VariantCounts;
  /** Number of windows with candidate traffic. */
  readonly windows: number;
  /** At most `WINDOWS_MAX`; empty where only the sums are known. */
  readonly byWindow: readonly ArmWindow[];
  readonly outcomes: readonly OutcomeStats[];
  readonly shadow: ShadowStats | null;
  readonly scores: readonly ScoreBins[];
  /**
   * How many keys the requests came from that fall on an arm independently of each other: `(sum n)^2 / sum n^2` over the
   * requests `n` of each entity, where a request without one is its own. Absent or `null`: not known.
   */
  readonly keys?: number | null;
}

/** What the judge has to know of a plan; see `judgePolicy`. */
export interface JudgePolicy {
  readonly limits: RolloutLimits;
  readonly metrics: readonly MetricRule[];
  /** Probability, over the whole rollout, of rolling back a candidate that is within all its limits. */
  readonly alpha: number;
  /** Requests of each arm that do not count. */
  readonly warmUpRequests: number;
}

export type VerdictKind = 'rollback' | 'healthy' | 'inconclusive';

export interface Verdict {
  readonly kind: VerdictKind;
  /** One sentence for a person, with the numbers. */
  readonly reason: string;
  /** In the order of the policy's metrics. */
  readonly evidence: readonly Evidence[];
  /** Of the split of the requests over the arms; `null` or absent where nothing is split. */
  readonly sampleRatio?: SampleRatio | null;
}

export interface SampleRatio {
  readonly ok: boolean;
  /** Valid at every look: the reciprocal of the largest evidence against the configured split, at most 1. */
  readonly pValue: number;
}

/** What one metric has shown. Every number is finite: JSON knows no infinity. */
export interface Evidence {
  readonly metric: RolloutMetric | ShadowMetric;
  /** Of the metric `outcome`. */
  readonly event?: string;
  /** Requests, users or pairs that count, per arm. */
  readonly sizes?: Readonly<Partial<Record<Arm, number>>>;
  /** Of the candidate: a share 0..1, a mean, or a difference, as the sentence says. */
  readonly observed: number;
  /** The same of the arm it is compared with. */
  readonly baseline?: number;
  readonly limit: number;
  /** Evidence against the candidate and its threshold; breached at `eValue >= threshold`. */
  readonly eValue: number;
  readonly threshold: number;
  /** Evidence that the candidate is within its limit; healthy at `healthEValue >= healthThreshold`. */
  readonly healthEValue?: number;
  readonly healthThreshold?: number;
  readonly status?: 'breached' | 'healthy' | 'open';
  /** `watch`: shown, decides nothing. */
  readonly action?: 'rollback' | 'watch';
  /** For a person, with the numbers. */
  readonly sentence?: string;
}

/** Metrics of pairs, judged where a shadow runs. */
export const SHADOW_METRICS = ['shadowErrors', 'shadowDisagreement', 'shadowScore', 'shadowLatency'] as const;
export type ShadowMetric = (typeof SHADOW_METRICS)[number];

export type Judge = (observation: Observation, policy: JudgePolicy) => Verdict;
