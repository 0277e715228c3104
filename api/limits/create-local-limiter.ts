import { limitOf } from '../../domain/rate-tier.ts';
import { fullBucket, refilled, take } from '../../domain/token-bucket.ts';
import type { Bucket, BucketLimit } from '../../domain/token-bucket.ts';
import { UNLIMITED } from './rate-limiter.ts';
import type { RateDecision, RateKey, RateLimiter } from './rate-limiter.ts';

/** Buckets looked through at a time for full ones, which are forgotten: a new one would be full as well. */
const SWEEP_EVERY_TAKES = 10_000;

/** Buckets in this process: exact where one process answers. Holds one per key in use, and no more keys exist than 10,000. */
export function createLocalLimiter(nowMs: () => number): RateLimiter {
  const buckets = new Map<string, { limit: BucketLimit; bucket: Bucket }>();
  let takes = 0;

  function sweep(now: number): void {
    for (const [id, { limit, bucket }] of buckets) {
      if (refilled(bucket, limit, now).tokens >= limit.capacity) buckets.delete(id);
    }
  }

  function takeNow({ keyId, tier }: RateKey, rows: number): RateDecision {
    const limit = limitOf(tier);
    if (limit === null) return UNLIMITED;
    const now = nowMs();
    if ((takes += 1) % SWEEP_EVERY_TAKES === 0) sweep(now);
    const taking = take(buckets.get(keyId)?.bucket ?? fullBucket(limit, now), limit, rows, now);
    buckets.set(keyId, { limit, bucket: taking.bucket });
    const remaining = taking.bucket.tokens;
    return taking.taken
      ? { kind: 'granted', limit, remaining }
      : { kind: 'refused', limit, remaining, waitMs: taking.waitMs };
  }

  return { take: takeNow };
}
