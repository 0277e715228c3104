import { sql } from 'drizzle-orm';
import type { Database } from './connect.ts';
import type { Traffic } from './rollout-ports.ts';

/** Predictions looked at for their users, the newest first: a bound on the time, as there may be millions a day. */
const PREDICTIONS_MAX = 200_000;

interface Sums extends Record<string, unknown> {
  readonly requests: number;
  readonly errors: number;
  readonly slow: number;
  readonly latency: number;
  readonly first_ms: number | null;
  readonly last_ms: number | null;
}

/** From the counters, which know every request; users and their events from the newest predictions. */
export function readTraffic(database: Database, model: string, sinceMs: number, untilMs: number): Promise<Traffic> {
  const since = sql`to_timestamp(${sinceMs}::float8 / 1000)`;
  const until = sql`to_timestamp(${untilMs}::float8 / 1000)`;
  return database.run(async (db) => {
    const { rows: sums } = await db.execute<Sums>(sql`
      select coalesce(sum(requests), 0)::float8 as requests, coalesce(sum(errors), 0)::float8 as errors,
        coalesce(sum(slow), 0)::float8 as slow, coalesce(sum(latency_sum_ms), 0) as latency,
        (extract(epoch from min(window_start)) * 1000)::float8 as first_ms,
        (extract(epoch from max(window_start)) * 1000)::float8 as last_ms
      from variant_counts
      where model = ${model} and variant <> 'shadow' and window_start >= ${since} and window_start < ${until}`);
    const { rows: users } = await db.execute<{ users: number }>(sql`
      select count(distinct entity_id)::float8 as users from (
        select entity_id from predictions
        where model = ${model} and created_at >= ${since} and created_at < ${until}
        order by created_at desc limit ${PREDICTIONS_MAX}
      ) as newest`);
    const { rows: events } = await db.execute<{ event: string; users: number }>(sql`
      select event, count(distinct coalesce(entity_id, request_id::text))::float8 as users from outcomes
      where model = ${model} and occurred_at >= ${since} and occurred_at < ${until} group by event`);
    const [sum] = sums;
    return {
      counts: {
        requests: sum?.requests ?? 0,
        errors: sum?.errors ?? 0,
        slow: sum?.slow ?? 0,
        latencySumMs: sum?.latency ?? 0,
      },
      firstMs: sum?.first_ms ?? null,
      lastMs: sum?.last_ms ?? null,
      users: users[0]?.users ?? 0,
      outcomes: Object.fromEntries(events.map((e) => [e.event, e.users])),
    };
  });
}
