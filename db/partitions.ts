import { sql } from 'drizzle-orm';
import type { Database, Drizzle } from './connect.ts';

const DAY_MS = 86_400_000;
/** Partitions are named for the day and cost planning time each: more than a year ahead is a mistake. */
const DAYS_AHEAD_MAX = 366;
/** The locks below wait for whoever uses the tables, and everybody else waits behind them: not for long. */
const LOCK_TIMEOUT = '5s';
/** Names the advisory lock of partition upkeep; any constant that no other lock of the registry uses. */
const PARTITION_LOCK = 7_508_401;

/**
 * Creates the daily partitions of `predictions` (UTC days) from yesterday to `daysAhead` from `nowMs`. A day whose
 * rows already went to the default partition takes them over; rows of other days stay there. Idempotent, and safe
 * in several processes at once.
 */
export async function ensurePartitions(database: Database, daysAhead: number, nowMs: number): Promise<void> {
  const ahead = Math.max(0, Math.min(Math.floor(daysAhead), DAYS_AHEAD_MAX));
  const today = Math.floor(nowMs / DAY_MS) * DAY_MS;
  for (let day = -1; day <= ahead; day++) {
    const startMs = today + day * DAY_MS;
    // A transaction per day keeps the exclusive lock on the default partition as short as it can be.
    await database.transact((tx) => ensurePartition(tx, startMs));
  }
}

/** `predictions_20261121` for the UTC day that starts at `startMs`. */
function partitionName(startMs: number): string {
  return `predictions_${new Date(startMs).toISOString().slice(0, 10).replaceAll('-', '')}`;
}

async function ensurePartition(tx: Drizzle, startMs: number): Promise<void> {
  const name = partitionName(startMs);
  if (await isAttached(tx, name)) return;
  await tx.execute(sql`select pg_advisory_xact_lock(${PARTITION_LOCK})`);
  if (await isAttached(tx, name)) return;
  await tx.execute(sql.raw(`set local lock_timeout = '${LOCK_TIMEOUT}'`));
  const from = new Date(startMs).toISOString();
  const to = new Date(startMs + DAY_MS).toISOString();
  const table = sql.identifier(name);
  // Not `create table ... partition of`: that keeps readers out, and fails when the default partition holds rows of
  // the day. Writers wait: one that had chosen the default partition for a row of this day would be refused after it.
  await tx.execute(sql`create table ${table} (like predictions including defaults including constraints)`);
  await tx.execute(sql`lock table only predictions in exclusive mode`);
  await tx.execute(sql`lock table only predictions_default in access exclusive mode`);
  await tx.execute(sql`
    with moved as (
      delete from only predictions_default where created_at >= ${from} and created_at < ${to} returning *
    )
    insert into ${table} select * from moved`);
  // Bounds of a partition cannot be parameters; both are ISO dates made here.
  const bounds = sql.raw(`from ('${from}') to ('${to}')`);
  await tx.execute(sql`alter table predictions attach partition ${table} for values ${bounds}`);
}

async function isAttached(tx: Drizzle, name: string): Promise<boolean> {
  const { rows } = await tx.execute(sql`
    select 1 from pg_inherits
    where inhparent = to_regclass('predictions') and inhrelid = to_regclass(${name})`);
  return rows.length > 0;
}
