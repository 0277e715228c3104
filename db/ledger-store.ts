import { and, asc, desc, eq, gt, gte, isNull, lt, lte, or, sql } from 'drizzle-orm';
import type { Route, RoutingTable } from '../domain/routing.ts';
import type { Verdict } from '../domain/verdict.ts';
import type { Database, Drizzle } from './connect.ts';
import type { LedgerEntry, LedgerStore } from './rollout-ports.ts';
import { routingHistory } from './rollout-schema.ts';
import { isUuid } from './uuid.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 5_000;

export function createLedgerStore(database: Database): LedgerStore {
  return {
    at: (model, at) =>
      database.run(async (db) => {
        const [entry] = await db
          .select()
          .from(routingHistory)
          .where(and(eq(routingHistory.model, model), lte(routingHistory.validFrom, at), endsAfter(at)))
          .orderBy(desc(routingHistory.validFrom))
          .limit(1);
        return entry ?? null;
      }),
    between: (model, from, to, limit) =>
      database.run((db) =>
        db
          .select()
          .from(routingHistory)
          .where(and(eq(routingHistory.model, model), lt(routingHistory.validFrom, to), endsAfter(from)))
          .orderBy(asc(routingHistory.validFrom))
          .limit(Math.min(limit, LIST_MAX)),
      ),
    ofRollout: (model, rolloutId) => database.run((db) => ofRollout(db, model, rolloutId)),
  };
}

const endsAfter = (at: Date) => or(isNull(routingHistory.validTo), gt(routingHistory.validTo, at));

/** The change that ends a rollout no longer names it: it is the one after the last that does. */
async function ofRollout(db: Drizzle, model: string, rolloutId: string): Promise<readonly LedgerEntry[]> {
  if (!isUuid(rolloutId)) return [];
  const bounds = db
    .select({
      first: sql<number>`min(${routingHistory.generation})`.as('first'),
      last: sql<number>`max(${routingHistory.generation}) + 1`.as('last'),
    })
    .from(routingHistory)
    .where(and(eq(routingHistory.model, model), eq(routingHistory.rolloutId, rolloutId)))
    .as('bounds');
  const rows = await db
    .select({ entry: routingHistory })
    .from(routingHistory)
    .innerJoin(bounds, and(gte(routingHistory.generation, bounds.first), lte(routingHistory.generation, bounds.last)))
    .where(eq(routingHistory.model, model))
    .orderBy(asc(routingHistory.generation))
    .limit(LIST_MAX);
  return rows.map((r) => r.entry);
}

interface Change {
  readonly table: Pick<RoutingTable, 'model' | 'generation' | 'salt' | 'rolloutId'> & {
    readonly routes: readonly Route[];
  };
  readonly by: string;
  readonly reason: string;
  readonly evidence: Verdict | null;
}

/**
 * Writes a generation into the ledger, in the transaction that puts it in force and under the lock of its row, so
 * that the generations of a model come one after the other. The time is the clock's at this statement, as a
 * transaction's own may be older than the one before it; a clock that was set back does not turn the order around.
 */
export async function recordGeneration(tx: Drizzle, { table, by, reason, evidence }: Change): Promise<void> {
  const { model, generation, salt, rolloutId, routes } = table;
  await tx.execute(sql`
    with moment as (
      select greatest(
        date_trunc('milliseconds', clock_timestamp()),
        (select max(valid_from) + interval '1 millisecond' from routing_history where model = ${model})
      ) as at
    ), closed as (
      update routing_history set valid_to = (select at from moment) where model = ${model} and valid_to is null
      returning 1
    )
    insert into routing_history (model, generation, salt, rollout_id, routes, changed_by, reason, evidence, valid_from)
    select ${model}, ${generation}, ${salt}, ${rolloutId}, ${JSON.stringify(routes)}::jsonb, ${by}, ${reason},
      ${evidence === null ? null : JSON.stringify(evidence)}::jsonb, at
    -- Reads what closes the one before, so that it is closed first: only one may be in force.
    from moment, (select count(*) from closed) as after_closing`);
}
