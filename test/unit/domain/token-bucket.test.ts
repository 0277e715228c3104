import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { limitOf, RATE_TIERS } from '../../../domain/rate-tier.ts';
import { fullBucket, putBack, refilled, take } from '../../../domain/token-bucket.ts';
import type { BucketLimit } from '../../../domain/token-bucket.ts';

const HOUR_MS = 3_600_000;
const limits: fc.Arbitrary<BucketLimit> = fc.record({
  capacity: fc.integer({ min: 1, max: 200_000 }),
  perHour: fc.integer({ min: 1, max: 200_000 }),
});
/** Clock steps of both signs, and how many tokens are asked then. */
const asks = fc.array(
  fc.record({ stepMs: fc.integer({ min: -10_000, max: 600_000 }), count: fc.integer({ min: 1, max: 5_000 }) }),
  { maxLength: 200 },
);

describe('a token bucket', () => {
  it('never holds more than its capacity nor less than nothing', () => {
    fc.assert(
      fc.property(limits, asks, fc.nat(10_000), (limit, steps, returned) => {
        let bucket = fullBucket(limit, 0);
        let nowMs = 0;
        for (const { stepMs, count } of steps) {
          nowMs += stepMs;
          bucket = take(bucket, limit, count, nowMs).bucket;
          expect(bucket.tokens).toBeGreaterThanOrEqual(0);
          expect(bucket.tokens).toBeLessThanOrEqual(limit.capacity);
          expect(putBack(bucket, limit, returned).tokens).toBeLessThanOrEqual(limit.capacity);
        }
      }),
    );
  });

  it('lets through no more than the capacity and what flowed in, over any stretch of time', () => {
    fc.assert(
      fc.property(limits, asks, (limit, steps) => {
        let bucket = fullBucket(limit, 0);
        let nowMs = 0;
        let latestMs = 0;
        const taken: { atMs: number; count: number }[] = [];
        for (const { stepMs, count } of steps) {
          nowMs += stepMs;
          latestMs = Math.max(latestMs, nowMs);
          const taking = take(bucket, limit, count, nowMs);
          bucket = taking.bucket;
          if (taking.taken) taken.push({ atMs: latestMs, count });
        }
        for (const [first, { atMs: fromMs }] of taken.entries()) {
          let sum = 0;
          for (const { atMs, count } of taken.slice(first)) {
            sum += count;
            const bound = limit.capacity + ((atMs - fromMs) * limit.perHour) / HOUR_MS;
            expect(sum).toBeLessThanOrEqual(bound + 1e-3);
          }
        }
      }),
    );
  });

  it('has enough after exactly the wait it names, and not before', () => {
    fc.assert(
      fc.property(limits, fc.nat(200_000), fc.integer({ min: 1, max: 200_000 }), (limit, drained, count) => {
        const bucket = { tokens: Math.max(0, limit.capacity - drained), atMs: 0 };
        const taking = take(bucket, limit, count, 0);
        if (taking.taken) return;
        if (count > limit.capacity) {
          expect(taking.waitMs).toBe(Infinity);
          return;
        }
        expect(take(taking.bucket, limit, count, taking.waitMs).taken).toBe(true);
        const before = taking.waitMs - (0.01 * HOUR_MS) / limit.perHour;
        if (before > 0) expect(take(taking.bucket, limit, count, before).taken).toBe(false);
      }),
    );
  });

  it('takes nothing when there is not enough', () => {
    const limit = { capacity: 10, perHour: 10 };
    const bucket = { tokens: 4, atMs: 0 };
    expect(take(bucket, limit, 5, 0)).toEqual({ taken: false, bucket, waitMs: HOUR_MS / 10 });
  });

  it('gives nothing for a clock that went back', () => {
    const limit = { capacity: 10, perHour: 3600 };
    const bucket = { tokens: 0, atMs: 5_000 };
    expect(refilled(refilled(bucket, limit, 1_000), limit, 5_000).tokens).toBe(0);
    expect(refilled(bucket, limit, 6_000).tokens).toBeCloseTo(1);
  });
});

describe('the tiers', () => {
  it('allow what they promise an hour', () => {
    const perHour = Object.fromEntries(RATE_TIERS.map((tier) => [tier, limitOf(tier)?.perHour ?? null]));
    expect(perHour).toEqual({ free: 100, basic: 1000, premium: 10_000, enterprise: 100_000, unlimited: null });
  });
});
