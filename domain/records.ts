import type { FeatureValue } from './signature.ts';
import type { Variant } from './routing.ts';

export const RISK_CATEGORIES = ['low', 'medium', 'high'] as const;
export type RiskCategory = (typeof RISK_CATEGORIES)[number];

/** One answered prediction, as recorded. */
export interface PredictionRecord {
  /** UUID, the answer's request id; rows of a batch get one each. */
  readonly requestId: string;
  readonly model: string;
  readonly version: number;
  readonly variant: Variant;
  readonly rolloutId: string | null;
  readonly entityId: string | null;
  readonly features: Readonly<Record<string, FeatureValue | undefined>>;
  readonly probability: number;
  readonly label: string;
  readonly risk: RiskCategory;
  readonly latencyMs: number;
  /** Epoch ms. */
  readonly createdAtMs: number;
}

/**
 * Mergeable counters of one variant in one window, summed by one API process. Only requests whose outcome speaks of
 * the version count: a request refused for its input is nobody's error.
 */
export interface VariantCounts {
  readonly requests: number;
  readonly errors: number;
  /** Answered slower than the routing table's `slowMs`. */
  readonly slow: number;
  /** Sum of answer times, ms. */
  readonly latencySumMs: number;
}

export const NO_COUNTS: VariantCounts = { requests: 0, errors: 0, slow: 0, latencySumMs: 0 };

export function addCounts(a: VariantCounts, b: VariantCounts): VariantCounts {
  return {
    requests: a.requests + b.requests,
    errors: a.errors + b.errors,
    slow: a.slow + b.slow,
    latencySumMs: a.latencySumMs + b.latencySumMs,
  };
}

/** Ground truth for an earlier prediction. */
export interface FeedbackRecord {
  readonly requestId: string | null;
  readonly entityId: string | null;
  readonly model: string;
  /** The class as the data names it, for example `Yes`. */
  readonly label: string;
  readonly occurredAtMs: number;
}

export const PERMISSIONS = ['predict', 'monitor', 'admin'] as const;
export type Permission = (typeof PERMISSIONS)[number];
