import { asc, eq, sql } from 'drizzle-orm';
import type { Database } from './connect.ts';
import type { LookRow, LookStore } from './rollout-ports.ts';
import { rolloutLooks } from './rollout-schema.ts';
import { isUuid } from './uuid.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 20_000;
/** A look that says nothing new is kept when this long has passed since the last one kept. */
const GAP_MIN_MS = 1_000;
/**
 * Or this share of the rollout's age, if that is longer: a rollout of 30 days with a look every 10 s keeps about 7,000
 * looks of 260,000 (1,000 of its first hours, then 1,000 for each time its age grows e-fold).
 */
const GAP_SHARE = 0.001;

export function createLookStore(database: Database): LookStore {
  return {
    record: (look) => record(database, look),
    list: (rolloutId, limit) =>
      database.run(async (db) => {
        if (!isUuid(rolloutId)) return [];
        const rows = await db
          .select()
          .from(rolloutLooks)
          .where(eq(rolloutLooks.rolloutId, rolloutId))
          .orderBy(asc(rolloutLooks.lookAt))
          .limit(Math.min(limit, LIST_MAX));
        return rows.map(({ lookAt, ...row }) => ({ ...row, lookAtMs: lookAt.getTime() }));
      }),
  };
}

async function record(database: Database, look: LookRow): Promise<void> {
  const { rolloutId, step, phase, weights, counts, verdict } = look;
  const at = new Date(look.lookAtMs).toISOString();
  await database.run((db) =>
    db.execute(sql`
      with last as (
        select look_at, step, phase, verdict ->> 'kind' as kind from rollout_looks
        where rollout_id = ${rolloutId} and look_at < ${at}::timestamptz order by look_at desc limit 1
      ), age as (
        select extract(epoch from (${at}::timestamptz - min(look_at))) * 1000 as ms
        from rollout_looks where rollout_id = ${rolloutId}
      )
      insert into rollout_looks (rollout_id, look_at, step, phase, weights, counts, verdict)
      select ${rolloutId}, ${at}::timestamptz, ${step}::int, ${phase}::text, ${JSON.stringify(weights)}::jsonb,
        ${JSON.stringify(counts)}::jsonb, ${JSON.stringify(verdict)}::jsonb
      where not exists (
        select 1 from last, age
        where last.step = ${step}::int and last.phase = ${phase}::text and last.kind = ${verdict.kind}::text
          and extract(epoch from (${at}::timestamptz - last.look_at)) * 1000
            < greatest(${GAP_MIN_MS}::float8, age.ms * ${GAP_SHARE}::float8)
      )
      on conflict do nothing`),
  );
}
