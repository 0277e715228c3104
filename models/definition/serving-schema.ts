import { z } from 'zod';
import type { CachePolicy, Fallback } from '../../domain/serving-policy.ts';
import { durationSchema } from './duration.ts';

const DAY_MS = 86_400_000;
/** About 300 bytes an entry: 300 MB at most, in each API process. */
const CACHE_ENTRIES_MAX = 1_000_000;
const CACHE_ENTRIES = 10_000;

export const fallback = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('none').describe('Status 503.') }),
    z.strictObject({ kind: z.literal('previous').describe('The version before answers.') }),
    z.strictObject({
      kind: z.literal('constant').describe('Everybody gets the same probability.'),
      probability: z.number().min(0).max(1),
    }),
  ])
  .describe(
    'What is answered, marked as degraded, when the champion fails. Default: status 503.',
  ) satisfies z.ZodType<Fallback>;

const ttl = 'How long an answer is kept, for example 10m.';
const maxEntries = z
  .int()
  .min(1)
  .max(CACHE_ENTRIES_MAX)
  .default(CACHE_ENTRIES)
  .describe('Answers kept per version and API process; the least recently used goes first.');

/** As a person writes it. */
export const cacheFromFile = z
  .strictObject({
    ttl: durationSchema.refine((ms) => ms >= 1 && ms <= DAY_MS, 'expected between 1ms and 24h').describe(ttl),
    maxEntries,
  })
  .transform(({ ttl: ttlMs, maxEntries: entries }): CachePolicy => ({ ttlMs, maxEntries: entries }))
  .describe('Answers kept for rows that are asked again. Default: none.');

export const cacheResolved = z.strictObject({
  ttlMs: z.int().min(1).max(DAY_MS),
  maxEntries,
}) satisfies z.ZodType<CachePolicy>;
