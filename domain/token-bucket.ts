/**
 * A token bucket: it holds at most `capacity` tokens and gains `perHour` of them an hour, evenly. In any stretch of
 * time no more than `capacity` plus what flowed in during it can be taken.
 */
export interface BucketLimit {
  /** Tokens that can be taken at once: the burst. */
  readonly capacity: number;
  /** Tokens that flow in, an hour. */
  readonly perHour: number;
}

export interface Bucket {
  /** 0..capacity, in fractions: what flows in between two looks is rarely whole. */
  readonly tokens: number;
  /** When `tokens` was right, ms of any clock that does not go back. */
  readonly atMs: number;
}

export type Taking =
  | { readonly taken: true; readonly bucket: Bucket }
  /** Nothing was taken. `waitMs`: until there are enough, `Infinity` when the bucket never holds that many. */
  | { readonly taken: false; readonly bucket: Bucket; readonly waitMs: number };

const HOUR_MS = 3_600_000;
/** Of a token. Sums of fractions fall short of whole tokens by rounding; a thousand million takes stay below this. */
const ROUNDING = 1e-6;

export function fullBucket(limit: BucketLimit, nowMs: number): Bucket {
  return { tokens: limit.capacity, atMs: nowMs };
}

/** The bucket as of now. A clock that went back adds nothing, and nothing twice once it is right again. */
export function refilled(bucket: Bucket, limit: BucketLimit, nowMs: number): Bucket {
  if (nowMs <= bucket.atMs) return bucket;
  const tokens = bucket.tokens + ((nowMs - bucket.atMs) * limit.perHour) / HOUR_MS;
  return { tokens: Math.min(limit.capacity, tokens), atMs: nowMs };
}

/** Takes `count` tokens, all or none. */
export function take(bucket: Bucket, limit: BucketLimit, count: number, nowMs: number): Taking {
  const now = refilled(bucket, limit, nowMs);
  if (now.tokens + ROUNDING >= count) {
    return { taken: true, bucket: { ...now, tokens: Math.max(0, now.tokens - count) } };
  }
  return { taken: false, bucket: now, waitMs: waitFor(count, now.tokens, limit) };
}

/** Puts tokens back that were taken and not used. Never fills above the capacity. */
export function putBack(bucket: Bucket, limit: BucketLimit, count: number): Bucket {
  return { ...bucket, tokens: Math.min(limit.capacity, bucket.tokens + count) };
}

/** Until `count` tokens are there, ms, when `tokens` are there now and none is taken. */
export function waitFor(count: number, tokens: number, limit: BucketLimit): number {
  if (count > limit.capacity) return Infinity;
  return Math.max(0, ((count - tokens) * HOUR_MS) / limit.perHour);
}
