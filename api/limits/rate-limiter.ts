import type { RateTier } from '../../domain/rate-tier.ts';
import type { BucketLimit } from '../../domain/token-bucket.ts';

/** Whose bucket: a `Principal` is one. */
export interface RateKey {
  readonly keyId: string;
  readonly tier: RateTier;
}

export type RateDecision =
  | { readonly kind: 'unlimited' }
  /** `remaining`: rows that can be asked now, in whole or part; what other processes hold may not be in it. */
  | { readonly kind: 'granted'; readonly limit: BucketLimit; readonly remaining: number }
  /** Nothing was taken. `waitMs`: until so many rows can be had, `Infinity`: never in one request. */
  | { readonly kind: 'refused'; readonly limit: BucketLimit; readonly remaining: number; readonly waitMs: number };

/** Decides how much a key may ask. The buckets may lie in this process, in another, or in a store that several share. */
export interface RateLimiter {
  /** Takes `rows` tokens of the key's bucket, all or none. Answers at once where it can. Never throws nor rejects. */
  take(key: RateKey, rows: number): RateDecision | Promise<RateDecision>;
}

export const UNLIMITED: RateDecision = { kind: 'unlimited' };
