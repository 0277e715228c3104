import { limitOf } from '../../domain/rate-tier.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import type { BucketLimit } from '../../domain/token-bucket.ts';
import { createLocalLimiter } from './create-local-limiter.ts';
import { asFromOwner } from './lease-messages.ts';
import type { LeaseGrant, LeaseRecall, LeaseReturn, ToOwner } from './lease-messages.ts';
import { UNLIMITED } from './rate-limiter.ts';
import type { RateDecision, RateKey, RateLimiter } from './rate-limiter.ts';

/** What a process holds unused goes back after this long, so that little is lost with it and the owner knows. */
const GRANT_LIFE_MS = 1_000;
const SWEEP_EVERY_MS = 250;
/** The owner answers in well under a millisecond; a request must not wait longer for a process that hangs. */
const ANSWER_LIMIT_MS = 200;
/** The owner is not asked for this long after it failed to answer. */
const OWNER_REST_MS = 1_000;
/** Requests of one key that wait for the owner; there are fewer by far unless it hangs. */
const WAITING_MAX = 1_000;

export interface LeasedLimiterDeps {
  /** To the owner. May throw when the channel is closed. */
  readonly send: (message: ToOwner) => void;
  /** Gives every message of the owner to the listener. */
  readonly listen: (listener: (message: unknown) => void) => void;
  readonly nowMs: () => number;
  /** Takes that could not be decided by the owner's bucket. */
  readonly onUnchecked?: (tier: RateTier) => void;
}

interface Waiter {
  readonly rows: number;
  readonly resolve: (decision: RateDecision | Promise<RateDecision>) => void;
}

/** What this process has of one key. */
interface Lease {
  readonly key: RateKey;
  readonly limit: BucketLimit;
  tokens: number;
  endsAtMs: number;
  /** Left in the owner's bucket when it answered last. */
  elsewhere: number;
  /** The owner refused so many rows until then. */
  refusal: { readonly rows: number; readonly untilMs: number } | null;
  readonly waiters: Waiter[];
  asked: { readonly id: number; readonly timer: NodeJS.Timeout } | null;
}

/**
 * Decides by tokens lent by the owner of the buckets: at once while a grant lasts, with one question to it otherwise.
 * When the owner does not answer, each process decides by buckets of its own: requests go on, and the limit is
 * exceeded by as many times as there are processes at most.
 */
export class LeasedLimiter implements RateLimiter {
  readonly #deps: LeasedLimiterDeps;
  readonly #leases = new Map<string, Lease>();
  readonly #alone: RateLimiter;
  readonly #sweeper: NodeJS.Timeout;
  #asks = 0;
  #ownerRestsUntilMs = -Infinity;

  constructor(deps: LeasedLimiterDeps) {
    this.#deps = deps;
    this.#alone = createLocalLimiter(deps.nowMs);
    this.#sweeper = setInterval(() => {
      for (const [id, lease] of this.#leases) this.#sweep(lease, id);
    }, SWEEP_EVERY_MS).unref();
    deps.listen((message) => {
      const known = asFromOwner(message);
      if (known?.type === 'rateLease.grant') this.#onGrant(known);
      if (known?.type === 'rateLease.recall') this.#onRecall(known);
    });
  }

  take(key: RateKey, rows: number): RateDecision | Promise<RateDecision> {
    const limit = limitOf(key.tier);
    if (limit === null) return UNLIMITED;
    const lease = this.#leases.get(key.keyId) ?? this.#open(key, limit);
    return this.#decideNow(lease, rows) ?? this.#wait(lease, rows);
  }

  /** Returns what is unused, stops the timers. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const lease of this.#leases.values()) if (lease.tokens > 0) this.#giveBack(lease, null);
  }

  /** `null`: the owner has to be asked. */
  #decideNow(lease: Lease, rows: number): RateDecision | null {
    if (rows > lease.limit.capacity) return refused(lease, Infinity);
    if (lease.waiters.length > 0) return null;
    if (lease.tokens >= rows) return spend(lease, rows);
    const { refusal } = lease;
    if (refusal === null || rows < refusal.rows) return null;
    const waitMs = refusal.untilMs - this.#deps.nowMs();
    return waitMs > 0 ? refused(lease, waitMs) : null;
  }

  #wait(lease: Lease, rows: number): RateDecision | Promise<RateDecision> {
    if (this.#deps.nowMs() < this.#ownerRestsUntilMs || lease.waiters.length >= WAITING_MAX) {
      return this.#decideAlone(lease, rows);
    }
    return new Promise((resolve) => {
      lease.waiters.push({ rows, resolve });
      if (lease.asked === null) this.#ask(lease);
    });
  }

  #open({ keyId, tier }: RateKey, limit: BucketLimit): Lease {
    const lease: Lease = {
      key: { keyId, tier },
      limit,
      tokens: 0,
      endsAtMs: 0,
      elsewhere: limit.capacity,
      refusal: null,
      waiters: [],
      asked: null,
    };
    this.#leases.set(keyId, lease);
    return lease;
  }

  #decideAlone({ key }: Lease, rows: number): RateDecision | Promise<RateDecision> {
    this.#deps.onUnchecked?.(key.tier);
    return this.#alone.take(key, rows);
  }

  #ask(lease: Lease): void {
    const rows = lease.waiters[0]?.rows;
    if (rows === undefined) return;
    const id = (this.#asks += 1);
    const back = lease.tokens;
    lease.tokens = 0;
    lease.asked = { id, timer: setTimeout(() => this.#onNoAnswer(lease), ANSWER_LIMIT_MS) };
    try {
      this.#deps.send({ type: 'rateLease.ask', id, ...lease.key, rows, back });
    } catch {
      this.#onNoAnswer(lease);
    }
  }

  #onNoAnswer(lease: Lease): void {
    clearTimeout(lease.asked?.timer);
    lease.asked = null;
    this.#ownerRestsUntilMs = this.#deps.nowMs() + OWNER_REST_MS;
    for (const { rows, resolve } of lease.waiters.splice(0)) resolve(this.#decideAlone(lease, rows));
  }

  #onGrant({ id, keyId, granted, remaining, waitMs }: LeaseGrant): void {
    const lease = this.#leases.get(keyId);
    if (lease === undefined || lease.asked?.id !== id) {
      // Too late: those who waited were answered without it.
      if (lease !== undefined && granted > 0) this.#sendBack(returning(lease, granted, null));
      return;
    }
    clearTimeout(lease.asked.timer);
    lease.asked = null;
    lease.elsewhere = remaining;
    const nowMs = this.#deps.nowMs();
    if (granted > 0) {
      lease.tokens = granted;
      lease.endsAtMs = nowMs + GRANT_LIFE_MS;
      lease.refusal = null;
    } else {
      lease.refusal = { rows: lease.waiters[0]?.rows ?? 1, untilMs: nowMs + waitMs };
    }
    this.#answerWaiters(lease, waitMs);
  }

  /** In the order of asking. What the grant does not cover is asked for again. */
  #answerWaiters(lease: Lease, waitMs: number): void {
    const { waiters, refusal } = lease;
    for (let next = waiters[0]; next !== undefined; next = waiters[0]) {
      const { rows, resolve } = next;
      if (lease.tokens >= rows) resolve(spend(lease, rows));
      else if (refusal !== null && rows >= refusal.rows) resolve(refused(lease, waitMs));
      else break;
      waiters.shift();
    }
    this.#ask(lease);
  }

  #onRecall({ keyId, tier, recall }: LeaseRecall): void {
    const lease = this.#leases.get(keyId);
    if (lease === undefined) this.#sendBack({ type: 'rateLease.return', keyId, tier, tokens: 0, recall });
    else this.#giveBack(lease, recall);
  }

  #giveBack(lease: Lease, recall: number | null): void {
    const { tokens } = lease;
    lease.tokens = 0;
    this.#sendBack(returning(lease, tokens, recall));
  }

  #sendBack(message: ToOwner): void {
    try {
      this.#deps.send(message);
    } catch {
      // The owner is gone, and its buckets with it.
    }
  }

  #sweep(lease: Lease, id: string): void {
    const now = this.#deps.nowMs();
    if (lease.asked !== null || lease.waiters.length > 0 || now < lease.endsAtMs) return;
    if (lease.tokens > 0) this.#giveBack(lease, null);
    if (lease.refusal === null || lease.refusal.untilMs <= now) this.#leases.delete(id);
  }
}

const remainingOf = ({ tokens, elsewhere }: Lease): number => tokens + elsewhere;

function spend(lease: Lease, rows: number): RateDecision {
  lease.tokens -= rows;
  return { kind: 'granted', limit: lease.limit, remaining: remainingOf(lease) };
}

function refused(lease: Lease, waitMs: number): RateDecision {
  return { kind: 'refused', limit: lease.limit, remaining: remainingOf(lease), waitMs };
}

function returning({ key }: Lease, tokens: number, recall: number | null): LeaseReturn {
  return { type: 'rateLease.return', ...key, tokens, recall };
}
