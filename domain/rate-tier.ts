import type { BucketLimit } from './token-bucket.ts';

/** What an API key may ask for, in predicted rows an hour. */
export const RATE_TIERS = ['free', 'basic', 'premium', 'enterprise', 'unlimited'] as const;
export type RateTier = (typeof RATE_TIERS)[number];

/** The tier of a key that none was chosen for. */
export const DEFAULT_TIER: RateTier = 'unlimited';

const ROWS_PER_HOUR: Readonly<Record<Exclude<RateTier, 'unlimited'>, number>> = {
  free: 100,
  basic: 1_000,
  premium: 10_000,
  enterprise: 100_000,
};

/**
 * The share of the hourly limit that can be asked at once. All of it: "100 an hour" then means any hundred, one batch
 * of them too, and the headers can say the whole truth with one policy. See docs/decisions/0012-rate-limits.md.
 */
const BURST_SHARE = 1;
/** However small a share, a page that asks a few predictions at once must work. */
const BURST_ROWS_MIN = 10;

const LIMITS = Object.fromEntries(
  Object.entries(ROWS_PER_HOUR).map(([tier, perHour]) => [
    tier,
    { perHour, capacity: Math.max(BURST_ROWS_MIN, perHour * BURST_SHARE) },
  ]),
) as Readonly<Record<Exclude<RateTier, 'unlimited'>, BucketLimit>>;

/** `null`: no limit. */
export function limitOf(tier: RateTier): BucketLimit | null {
  return tier === 'unlimited' ? null : LIMITS[tier];
}
