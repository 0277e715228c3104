import { DomainError } from '../../domain/errors.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import type { ExtraHeaders } from '../answers.ts';
import { rateHeaders } from './rate-headers.ts';
import type { RateDecision, RateKey, RateLimiter } from './rate-limiter.ts';

/** What asking rows of a key's limit came to. */
export interface Charge {
  /** For the answer, whatever it will be; `null` for a key without limit. */
  readonly headers: ExtraHeaders | null;
  /** To be thrown: the rows may not be predicted. */
  readonly refusal: DomainError | null;
}

/** Charges a key for rows before they are predicted. Answers at once where the limiter does. */
export type ChargeRows = (key: RateKey, rows: number) => Charge | Promise<Charge>;

const NOTHING: Charge = { headers: null, refusal: null };

export interface ChargeDeps {
  readonly limiter: RateLimiter;
  readonly metrics: { rateLimited(tier: RateTier): void };
  /** Epoch ms. */
  readonly now: () => number;
}

export function createChargeRows({ limiter, metrics, now }: ChargeDeps): ChargeRows {
  function conclude({ tier }: RateKey, rows: number, decision: RateDecision): Charge {
    if (decision.kind === 'unlimited') return NOTHING;
    const headers = rateHeaders(decision, now());
    if (decision.kind === 'granted') return { headers, refusal: null };
    metrics.rateLimited(tier);
    return { headers, refusal: refusalOf(tier, rows, decision) };
  }

  return (key, rows) => {
    if (key.tier === 'unlimited') return NOTHING;
    const decision = limiter.take(key, rows);
    if (!(decision instanceof Promise)) return conclude(key, rows, decision);
    return decision.then((decided) => conclude(key, rows, decided));
  };
}

/** One token is taken when a request comes in, before its body is read; the rows beyond the first when they are counted. */
export const furtherRows = (rows: number): number => Math.max(0, rows - 1);

function refusalOf(tier: RateTier, rows: number, decision: Extract<RateDecision, { kind: 'refused' }>): DomainError {
  const { limit, waitMs } = decision;
  if (waitMs === Infinity) {
    return new DomainError('invalidInput', `A key of the tier ${tier} cannot ask so many rows in one request`, [
      { field: 'instances', message: `send ${limit.capacity} rows at most` },
    ]);
  }
  const waitS = Math.max(1, Math.ceil(waitMs / 1000));
  const what = rows === 1 ? 'The next row' : `${rows} further rows`;
  const message = `The key's limit is used up: ${limit.perHour} rows an hour (tier ${tier}). ${what} can be asked in ${waitS} s`;
  return new DomainError('rateLimited', message, [], waitS);
}
