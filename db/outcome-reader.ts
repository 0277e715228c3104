import { sql } from 'drizzle-orm';
import { ACCURACY_EVENT } from '../domain/verdict.ts';
import type { Arm, OutcomeStats } from '../domain/verdict.ts';
import type { Database, Drizzle } from './connect.ts';

/** Joining users with their events goes over every prediction of the rollout: it may take this share of the time. */
const SHARE_OF_TIME = 0.05;
/** A look waits so long for fresh outcomes, and goes on with those it knows. */
const WAIT_MS = 1_000;
/** More rollouts than are open at a time. */
const KNOWN_MAX = 200;

/** What the predictions of a rollout say: who was answered, and what came of it. */
export interface UserStats {
  readonly outcomes: readonly OutcomeStats[];
  /** See `Observation.keys`; `null` before the first reading. */
  readonly keys: number | null;
}

/** Outcomes and truths of a rollout by user and arm; those of a moment ago where reading them takes long. */
export type OutcomeReader = (rolloutId: string, sinceMs: number) => Promise<UserStats>;

interface Known {
  stats: UserStats;
  /** `performance.now()` from which on they are read again. */
  freshUntilMs: number;
  reading: Promise<void> | null;
}

/**
 * Requests and latencies come from small counters at every look; outcomes come from the predictions themselves, which
 * may be millions. So each reading is followed by a pause in proportion to the time it took, and a look does not wait
 * for a long one: verdicts stay valid on evidence that is some looks old. One that fails leaves what was known.
 */
export function createOutcomeReader(database: Database): OutcomeReader {
  const known = new Map<string, Known>();

  async function read(rolloutId: string, sinceMs: number, into: Known): Promise<void> {
    const startedMs = performance.now();
    try {
      into.stats = await database.run(async (db) => ({
        outcomes: [...(await readOutcomes(db, rolloutId, sinceMs)), ...(await readAccuracy(db, rolloutId, sinceMs))],
        keys: await readKeys(db, rolloutId, sinceMs),
      }));
    } finally {
      const tookMs = performance.now() - startedMs;
      // What is quick is read at every look.
      into.freshUntilMs = tookMs < QUICK_MS ? 0 : performance.now() + tookMs / SHARE_OF_TIME;
      into.reading = null;
    }
  }

  return async (rolloutId, sinceMs) => {
    const one = known.get(rolloutId) ?? { stats: NOTHING, freshUntilMs: 0, reading: null };
    known.delete(rolloutId);
    known.set(rolloutId, one);
    for (const oldest of known.keys()) {
      if (known.size <= KNOWN_MAX) break;
      known.delete(oldest);
    }
    if (one.reading === null && performance.now() >= one.freshUntilMs) {
      one.reading = read(rolloutId, sinceMs, one).catch(() => undefined);
    }
    if (one.reading !== null) await atMost(one.reading, WAIT_MS);
    return one.stats;
  };
}

const NOTHING: UserStats = { outcomes: [], keys: null };

/** Below this nothing is spared. */
const QUICK_MS = 100;

async function atMost(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}

export const after = (sinceMs: number) => sql`to_timestamp(${sinceMs}::float8 / 1000)`;

/** Requests that keys are counted over: enough to find what is split wrongly, and read within 100 ms. */
const KEYS_SAMPLE = 50_000;

/** `null` without a request. Of the first requests alone it can only be too low, never too high. */
async function readKeys(db: Drizzle, rolloutId: string, sinceMs: number): Promise<number | null> {
  const { rows } = await db.execute<{ keys: number | null }>(sql`
    with sampled as (
      select coalesce(p.entity_id, p.request_id::text) as who
      from predictions p join rollouts r on r.id = ${rolloutId} and r.model = p.model
      where p.rollout_id = ${rolloutId} and p.created_at >= ${after(sinceMs)} and p.variant <> 'shadow'
      limit ${KEYS_SAMPLE}
    ), counted as (select count(*)::float8 as n from sampled group by who)
    select sum(n) * sum(n) / sum(n * n) as keys from counted`);
  return rows[0]?.keys ?? null;
}

interface OutcomeRow extends Record<string, unknown> {
  readonly event: string;
  readonly arm: Arm;
  readonly users: number;
  readonly total: number;
  readonly squares: number;
}

const toStats = ({ event, arm, users, total, squares }: OutcomeRow): OutcomeStats => ({
  event,
  arm,
  users,
  sum: total,
  sumOfSquares: squares,
});

/**
 * Users of an arm: whoever it answered, by entity, or by request where none was named. Of each event a user has the
 * largest value that was reported after the arm's first answer, and 0 without a report.
 */
async function readOutcomes(db: Drizzle, rolloutId: string, sinceMs: number): Promise<readonly OutcomeStats[]> {
  const { rows: events } = await db.execute<{ event: string }>(sql`
    select distinct o.event from outcomes o join rollouts r on r.id = ${rolloutId} and r.model = o.model
    where o.occurred_at >= ${after(sinceMs)} order by 1 limit 50`);
  if (events.length === 0) return [];
  const { rows } = await db.execute<OutcomeRow>(sql`
    with exposed as (
      select p.variant as arm, coalesce(p.entity_id, p.request_id::text) as who, min(p.created_at) as first_at
      from predictions p join rollouts r on r.id = ${rolloutId} and r.model = p.model
      where p.rollout_id = ${rolloutId} and p.created_at >= ${after(sinceMs)} and p.variant <> 'shadow'
      group by 1, 2
    ), reported as (
      select o.event, coalesce(o.entity_id, p.entity_id, o.request_id::text) as who, p.variant as arm, o.value,
        o.occurred_at
      from outcomes o join rollouts r on r.id = ${rolloutId} and r.model = o.model
      left join predictions p on p.request_id = o.request_id
      where o.occurred_at >= ${after(sinceMs)}
    ), valued as (
      select e.arm, e.who, v.event, max(v.value) as value
      from exposed e join reported v
        on v.who = e.who and (v.arm is null or v.arm = e.arm) and (v.arm is not null or v.occurred_at >= e.first_at)
      group by 1, 2, 3
    ), sizes as (select arm, count(*)::float8 as users from exposed group by 1),
    events as (select distinct event from reported)
    select events.event, sizes.arm, sizes.users, coalesce(sum(valued.value), 0) as total,
      coalesce(sum(valued.value * valued.value), 0) as squares
    from sizes cross join events
    left join valued on valued.arm = sizes.arm and valued.event = events.event
    group by 1, 2, 3 order by 1, 2`);
  return rows.map(toStats);
}

/** A labelled prediction adds 1 when its label came true. */
async function readAccuracy(db: Drizzle, rolloutId: string, sinceMs: number): Promise<readonly OutcomeStats[]> {
  const { rows } = await db.execute<OutcomeRow>(sql`
    select ${ACCURACY_EVENT}::text as event, p.variant as arm, count(*)::float8 as users,
      count(*) filter (where p.label = f.label)::float8 as total,
      count(*) filter (where p.label = f.label)::float8 as squares
    from feedback f join rollouts r on r.id = ${rolloutId} and r.model = f.model
    join predictions p on p.request_id = f.request_id and p.created_at >= ${after(sinceMs)}
    where f.received_at >= ${after(sinceMs)} and p.rollout_id = ${rolloutId} and p.variant <> 'shadow'
    group by 2 order by 2`);
  return rows.map(toStats);
}
