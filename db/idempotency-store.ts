import { randomUUID } from 'node:crypto';
import { and, eq, sql } from 'drizzle-orm';
import type { Database } from './connect.ts';
import { idempotencyKeys } from './schema.ts';

/** What a first request was answered with. */
export interface FirstAnswer {
  readonly status: number;
  readonly contentType: string | null;
  /** `null`: it held a secret and was not kept. */
  readonly body: string | null;
  /** Id of what was made, where the body was not kept. */
  readonly subject: string | null;
}

export type Claim =
  /** This request is the first: carry it out, then `settle` or `release` with the attempt. */
  | { readonly kind: 'first'; readonly attempt: string }
  | { readonly kind: 'inFlight' }
  /** The key came with another body before. */
  | { readonly kind: 'otherBody' }
  | { readonly kind: 'answered'; readonly answer: FirstAnswer };

/** Answers to writes by `Idempotency-Key`. All methods may reject with `DomainError('unavailable')`. */
export interface IdempotencyStore {
  claim(keyHash: string, fingerprint: string): Promise<Claim>;
  settle(keyHash: string, attempt: string, answer: FirstAnswer): Promise<void>;
  /** The request failed without an effect that counts: the key may be tried again. */
  release(keyHash: string, attempt: string): Promise<void>;
}

/** Longer than any retry loop that deserves the name; the drafts leave it to the server. */
const KEPT_S = 24 * 3_600;
/** A request that has not ended by then went down with its process: the slowest ends after some 10 s. */
const IN_FLIGHT_S_MAX = 60;
/** Each claim takes this many old rows along, so that the table cannot grow by age. */
const PURGED_ROWS_MAX = 100;

const tooOld = sql`(started_at < now() - make_interval(secs => ${KEPT_S})
  or (status is null and started_at < now() - make_interval(secs => ${IN_FLIGHT_S_MAX})))`;

export function createIdempotencyStore(database: Database): IdempotencyStore {
  const held = (keyHash: string, attempt: string) =>
    and(eq(idempotencyKeys.keyHash, keyHash), eq(idempotencyKeys.attempt, attempt));

  return {
    claim: (keyHash, fingerprint) =>
      database.transact(async (tx) => {
        await tx.execute(sql`delete from idempotency_keys where key_hash = any(array(
          select key_hash from idempotency_keys where ${tooOld} order by started_at limit ${PURGED_ROWS_MAX}
          for update skip locked))`);
        await tx.execute(sql`delete from idempotency_keys where key_hash = ${keyHash} and ${tooOld}`);
        const attempt = randomUUID();
        // Waits for another transaction that inserts the same key: of two at once, one is the first.
        const made = await tx
          .insert(idempotencyKeys)
          .values({ keyHash, fingerprint, attempt })
          .onConflictDoNothing()
          .returning({ keyHash: idempotencyKeys.keyHash });
        if (made.length > 0) return { kind: 'first', attempt };
        const [row] = await tx.select().from(idempotencyKeys).where(eq(idempotencyKeys.keyHash, keyHash));
        if (row === undefined) return { kind: 'inFlight' };
        if (row.fingerprint !== fingerprint) return { kind: 'otherBody' };
        const { status, contentType, body, subject } = row;
        if (status === null) return { kind: 'inFlight' };
        return { kind: 'answered', answer: { status, contentType, body, subject } };
      }),
    settle: (keyHash, attempt, answer) =>
      database.run(async (db) => {
        await db
          .update(idempotencyKeys)
          .set({ ...answer })
          .where(held(keyHash, attempt));
      }),
    release: (keyHash, attempt) =>
      database.run(async (db) => {
        await db.delete(idempotencyKeys).where(held(keyHash, attempt));
      }),
  };
}
