import { sql } from 'drizzle-orm';
import { SCORE_BINS } from '../domain/verdict.ts';
import type { Database } from './connect.ts';

/** Windows of a look are as short as this for an hour; nothing looks closer at what is older. */
const MERGED_MS = 60_000;
/** Writers that were cut off have long written by then. */
const OLDER_THAN_MS = 2 * 3_600_000;
/** Merged rows bear this instance, so that they are told apart from what a process wrote. */
const MERGED_INSTANCE = '00000000-0000-0000-0000-000000000000';
/** Names the advisory lock of the merging; any constant that no other lock of the registry uses. */
const COMPACTION_LOCK = 7_508_402;
/** Counters of one transaction: some two seconds. What is left is merged by the next one. */
const ROWS_MAX = 100_000;
/** Of one call, so that it ends. */
const ROUNDS_MAX = 200;

/** See the port. Idempotent, and safe in several processes at once. */
export async function compactCounts(database: Database, nowMs: number): Promise<number> {
  const beforeMs = Math.floor((nowMs - OLDER_THAN_MS) / MERGED_MS) * MERGED_MS;
  let gone = 0;
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const { taken, written } = await compactSome(database, beforeMs);
    gone += taken - written;
    if (taken < ROWS_MAX) break;
  }
  return gone;
}

/** A row of merged counters never spans a change of the weights: it belongs to one generation, as its parts did. */
function compactSome(database: Database, beforeMs: number): Promise<{ taken: number; written: number }> {
  const sums = Array.from(
    { length: SCORE_BINS },
    (_, i) => sql`coalesce(sum(score_bins[${sql.raw(String(i + 1))}]), 0)`,
  );
  return database.transact(async (tx) => {
    await tx.execute(sql`select pg_advisory_xact_lock(${COMPACTION_LOCK})`);
    const { rows } = await tx.execute<{ taken: number; written: number }>(sql`
      with taken as (
        delete from variant_counts c using (
          select instance, sequence from variant_counts
          where instance <> ${MERGED_INSTANCE} and window_start < to_timestamp(${beforeMs}::float8 / 1000)
          limit ${ROWS_MAX}
        ) old where c.instance = old.instance and c.sequence = old.sequence
        returning c.*
      ), merged as (
        select t.model, t.rollout_id, t.variant, t.version, min(t.window_start) as window_start,
          sum(requests) as requests, sum(errors) as errors, sum(slow) as slow, sum(latency_sum_ms) as latency_sum_ms,
          case when count(score_bins) > 0 then array[${sql.join(sums, sql`, `)}]::int[] end as score_bins
        from taken t left join routing_history g
          on g.model = t.model and t.window_start >= g.valid_from and (g.valid_to is null or t.window_start < g.valid_to)
        group by t.model, t.rollout_id, t.variant, t.version, g.generation,
          floor(extract(epoch from t.window_start) * 1000 / ${MERGED_MS}::float8)
      ), written as (
        insert into variant_counts (instance, sequence, model, rollout_id, variant, version, window_start, requests,
          errors, slow, latency_sum_ms, score_bins)
        select ${MERGED_INSTANCE}, row_number() over () + (
          select coalesce(max(sequence), 0) from variant_counts where instance = ${MERGED_INSTANCE}
        ), model, rollout_id, variant, version, window_start, requests, errors, slow, latency_sum_ms, score_bins
        from merged
        returning 1
      )
      select (select count(*) from taken)::int as taken, (select count(*) from written)::int as written`);
    return rows[0] ?? { taken: 0, written: 0 };
  });
}
