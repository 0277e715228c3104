import { waitFor } from '../../domain/token-bucket.ts';
import type { ExtraHeaders } from '../answers.ts';
import type { RateDecision } from './rate-limiter.ts';

/** Of the one policy there is. */
const POLICY = 'hour';
const HOUR_S = 3_600;

type LimitedDecision = Exclude<RateDecision, { kind: 'unlimited' }>;

/**
 * `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-10 beside the older `X-RateLimit-*`.
 * The time to the reset is that until the bucket is full again: as seconds from now in `RateLimit`, as Unix time in
 * `X-RateLimit-Reset`, each as its clients expect it.
 * @param nowMs epoch ms
 */
export function rateHeaders({ limit, remaining }: LimitedDecision, nowMs: number): ExtraHeaders {
  const { capacity, perHour } = limit;
  const left = String(Math.floor(Math.max(0, remaining) + 1e-6));
  const fullInS = Math.ceil(waitFor(capacity, remaining, limit) / 1000);
  const windowS = Math.round((capacity / perHour) * HOUR_S);
  return {
    'x-ratelimit-limit': String(capacity),
    'x-ratelimit-remaining': left,
    'x-ratelimit-reset': String(Math.floor(nowMs / 1000) + fullInS),
    'ratelimit-policy': `"${POLICY}";q=${String(capacity)};w=${String(windowS)}`,
    ratelimit: `"${POLICY}";r=${left};t=${String(fullInS)}`,
  };
}
