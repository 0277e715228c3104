/** What passes between the processes that answer and the one that owns the buckets. Plain JSON: it goes over IPC. */
import { RATE_TIERS } from '../../domain/rate-tier.ts';
import type { RateTier } from '../../domain/rate-tier.ts';

/** Asks for at least `rows` tokens; `back` are those left of the grant before, which ends herewith. */
export interface LeaseAsk {
  readonly type: 'rateLease.ask';
  readonly id: number;
  readonly keyId: string;
  readonly tier: RateTier;
  readonly rows: number;
  readonly back: number;
}

/** Ends a grant: `tokens` were not used. Also the answer to a recall, then with its number. */
export interface LeaseReturn {
  readonly type: 'rateLease.return';
  readonly keyId: string;
  readonly tier: RateTier;
  readonly tokens: number;
  readonly recall: number | null;
}

/** `granted` 0: refused; `waitMs` tells for how long. `remaining` are the tokens left in the bucket. */
export interface LeaseGrant {
  readonly type: 'rateLease.grant';
  readonly id: number;
  readonly keyId: string;
  readonly granted: number;
  readonly remaining: number;
  readonly waitMs: number;
}

/** Another process is short of this key's tokens: return what is not used. */
export interface LeaseRecall {
  readonly type: 'rateLease.recall';
  readonly recall: number;
  readonly keyId: string;
  readonly tier: RateTier;
}

export type ToOwner = LeaseAsk | LeaseReturn;
export type FromOwner = LeaseGrant | LeaseRecall;

type Fields = Readonly<Record<string, unknown>>;

const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0;
const hasKey = ({ keyId, tier }: Fields): boolean =>
  typeof keyId === 'string' && RATE_TIERS.some((known) => known === tier);

/** `null`: a message of somebody else on the same channel. */
export function asToOwner(message: unknown): ToOwner | null {
  const m = (message ?? {}) as Fields;
  if (m['type'] === 'rateLease.ask' && hasKey(m) && isAmount(m['rows']) && isAmount(m['back']))
    return message as LeaseAsk;
  if (m['type'] === 'rateLease.return' && hasKey(m) && isAmount(m['tokens'])) return message as LeaseReturn;
  return null;
}

/** `null`: a message of somebody else on the same channel. */
export function asFromOwner(message: unknown): FromOwner | null {
  const { type } = (message ?? {}) as Fields;
  return type === 'rateLease.grant' || type === 'rateLease.recall' ? (message as FromOwner) : null;
}
