import type { VariantCounts } from './records.ts';
import type { RolloutLimits } from './rollout/plan.ts';

/**
 * The seam of the rollout statistics: counters in, verdict out, pure. A judge is asked at every look; the richer ones
 * (concurrent baseline, business metrics) implement the same type.
 */
export interface Verdict {
  readonly kind: 'rollback' | 'healthy' | 'inconclusive';
  /** One sentence for a person, with the numbers. */
  readonly reason: string;
  readonly evidence: readonly Evidence[];
}

export interface Evidence {
  readonly metric: 'errorRate' | 'p95';
  /** Observed share (of errors, or of requests slower than the limit), 0..1. */
  readonly observed: number;
  readonly limit: number;
  /** Evidence against the candidate and its threshold; rollback at `eValue >= threshold`. */
  readonly eValue: number;
  readonly threshold: number;
}

export interface Observation {
  /** Summed since the candidate first got traffic in this rollout. */
  readonly candidate: VariantCounts;
  readonly champion: VariantCounts;
  /** Number of windows with candidate traffic. */
  readonly windows: number;
}

export type Judge = (observation: Observation, limits: RolloutLimits) => Verdict;
