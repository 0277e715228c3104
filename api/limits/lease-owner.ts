import { limitOf } from '../../domain/rate-tier.ts';
import type { RateTier } from '../../domain/rate-tier.ts';
import { fullBucket, putBack, refilled, take } from '../../domain/token-bucket.ts';
import type { Bucket, BucketLimit } from '../../domain/token-bucket.ts';
import { asToOwner } from './lease-messages.ts';
import type { FromOwner, LeaseAsk, LeaseReturn } from './lease-messages.ts';

/** How much of what is left in a bucket one process gets beyond what it needs: near the end grants become small. */
const GRANT_SHARE = 0.05;
/** At 5,000 rows a second of one key this is a message 25 times a second; what a killed process takes along is small. */
const GRANT_TOKENS_MAX = 200;
/** A process that does not return its grant within this time goes without: somebody waits for an answer. */
const RECALL_LIMIT_MS = 50;
/** Full buckets are forgotten this often: a new one would be full as well. */
const SWEEP_EVERY_MS = 60_000;

/** The owner's end of the channel to one process. */
export interface LeaseChannel {
  /** Takes every message of the process; those of others are ignored. */
  receive(message: unknown): void;
  /** The process is gone. What it held counts as used: how much it used died with it. */
  detach(): void;
}

/** A process that may hold grants. */
interface Holder {
  readonly send: (message: FromOwner) => void;
}

interface Recall {
  readonly id: number;
  readonly awaited: Set<Holder>;
  readonly timer: NodeJS.Timeout;
}

/** One key's bucket, who holds grants of it, and who waits for some. */
interface Account {
  readonly keyId: string;
  readonly tier: RateTier;
  readonly limit: BucketLimit;
  bucket: Bucket;
  readonly holders: Set<Holder>;
  readonly asks: { readonly from: Holder; readonly ask: LeaseAsk }[];
  recall: Recall | null;
}

/**
 * Owns the buckets of all keys and lends tokens to the processes that answer. The sum of what they answer never
 * exceeds a bucket, and none is refused while another holds tokens unused: those are called back first.
 */
export class LeaseOwner {
  readonly #nowMs: () => number;
  readonly #accounts = new Map<string, Account>();
  readonly #sweeper: NodeJS.Timeout;
  #recalls = 0;

  /** @param nowMs a clock that does not go back */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#sweeper = setInterval(() => this.#sweep(), SWEEP_EVERY_MS).unref();
  }

  attach(send: (message: FromOwner) => void): LeaseChannel {
    const holder: Holder = { send: (message) => sendIfOpen(send, message) };
    return {
      receive: (message) => {
        const known = asToOwner(message);
        if (known?.type === 'rateLease.ask') this.#onAsk(holder, known);
        if (known?.type === 'rateLease.return') this.#onReturn(holder, known);
      },
      detach: () => this.#forget(holder),
    };
  }

  /** Stops its timers. */
  close(): void {
    clearInterval(this.#sweeper);
    for (const { recall } of this.#accounts.values()) clearTimeout(recall?.timer);
  }

  #sweep(): void {
    const now = this.#nowMs();
    for (const [keyId, { bucket, limit, holders, asks }] of this.#accounts) {
      const isFull = refilled(bucket, limit, now).tokens >= limit.capacity;
      if (isFull && holders.size === 0 && asks.length === 0) this.#accounts.delete(keyId);
    }
  }

  #accountOf(keyId: string, tier: RateTier): Account | null {
    const known = this.#accounts.get(keyId);
    if (known !== undefined) return known;
    const limit = limitOf(tier);
    if (limit === null) return null;
    const bucket = fullBucket(limit, this.#nowMs());
    const account: Account = { keyId, tier, limit, bucket, holders: new Set(), asks: [], recall: null };
    this.#accounts.set(keyId, account);
    return account;
  }

  #onAsk(from: Holder, ask: LeaseAsk): void {
    const account = this.#accountOf(ask.keyId, ask.tier);
    if (account === null) return;
    this.#credit(account, from, ask.back);
    account.asks.push({ from, ask });
    this.#answerAsks(account);
  }

  #onReturn(from: Holder, { keyId, tier, tokens, recall }: LeaseReturn): void {
    const account = this.#accountOf(keyId, tier);
    if (account === null) return;
    this.#credit(account, from, tokens);
    if (recall === null || recall === account.recall?.id) cameBack(account, from);
    this.#answerAsks(account);
  }

  #credit(account: Account, from: Holder, tokens: number): void {
    const { limit } = account;
    account.bucket = putBack(refilled(account.bucket, limit, this.#nowMs()), limit, tokens);
    account.holders.delete(from);
  }

  /** In the order of asking: a large ask is not starved by the small ones behind it. */
  #answerAsks(account: Account): void {
    while (account.recall === null) {
      const next = account.asks[0];
      if (next === undefined || !this.#answerAsk(account, next.from, next.ask)) return;
      account.asks.shift();
    }
  }

  /** False: grants are called back first. */
  #answerAsk(account: Account, from: Holder, ask: LeaseAsk): boolean {
    const taking = take(account.bucket, account.limit, ask.rows, this.#nowMs());
    account.bucket = taking.bucket;
    const answer = { type: 'rateLease.grant', id: ask.id, keyId: ask.keyId } as const;
    if (!taking.taken) {
      if (account.holders.size > 0) {
        this.#callBack(account);
        return false;
      }
      from.send({ ...answer, granted: 0, remaining: account.bucket.tokens, waitMs: taking.waitMs });
      return true;
    }
    const extra = Math.floor(Math.min(GRANT_TOKENS_MAX, taking.bucket.tokens * GRANT_SHARE));
    account.bucket = { ...taking.bucket, tokens: taking.bucket.tokens - extra };
    if (extra > 0) account.holders.add(from);
    from.send({ ...answer, granted: ask.rows + extra, remaining: account.bucket.tokens, waitMs: 0 });
    return true;
  }

  #callBack(account: Account): void {
    const id = (this.#recalls += 1);
    const { keyId, tier } = account;
    const timer = setTimeout(() => this.#giveUp(account), RECALL_LIMIT_MS);
    account.recall = { id, awaited: new Set(account.holders), timer };
    for (const holder of [...account.holders]) holder.send({ type: 'rateLease.recall', recall: id, keyId, tier });
  }

  /** Should they return later, it counts then. */
  #giveUp(account: Account): void {
    for (const holder of account.recall?.awaited ?? []) account.holders.delete(holder);
    account.recall = null;
    this.#answerAsks(account);
  }

  #forget(gone: Holder): void {
    for (const account of this.#accounts.values()) {
      account.holders.delete(gone);
      const left = account.asks.filter(({ from }) => from !== gone);
      account.asks.splice(0, account.asks.length, ...left);
      cameBack(account, gone);
      this.#answerAsks(account);
    }
  }
}

/** The last one that was waited for ends the recall. */
function cameBack(account: Account, from: Holder): void {
  const { recall } = account;
  if (recall === null) return;
  recall.awaited.delete(from);
  if (recall.awaited.size > 0) return;
  clearTimeout(recall.timer);
  account.recall = null;
}

/** A channel may close before its process is known to be gone; `detach` follows. */
function sendIfOpen(send: Holder['send'], message: FromOwner): void {
  try {
    send(message);
  } catch {
    // What was granted in it counts as used, as all that a dead process held.
  }
}
