import { sql, type SQL } from 'drizzle-orm';
import { addCounts, NO_COUNTS, type VariantCounts } from '../domain/records.ts';
import type { Route } from '../domain/routing.ts';
import { ARMS, SCORE_BINS, WINDOW_LADDER, WINDOWS_MAX } from '../domain/verdict.ts';
import type { Arm, ArmWindow, Observation, ScoreBins, ShadowStats } from '../domain/verdict.ts';
import type { Database, Drizzle } from './connect.ts';
import { after, type OutcomeReader } from './outcome-reader.ts';

/** What the judge is given of a rollout; see the port. */
export function observeRollout(
  database: Database,
  rolloutId: string,
  sinceMs: number,
  nowMs: number,
  readOutcomes: OutcomeReader,
): Promise<Observation> {
  return database.run(async (db) => {
    const byWindow = (await readWindows(db, rolloutId, sinceMs, ladderWidth(nowMs))).slice(-WINDOWS_MAX);
    const sumOf = (arm: Arm) => byWindow.map((w) => w.counts[arm]).reduce(addCounts, NO_COUNTS);
    const { outcomes, keys } = await readOutcomes(rolloutId, sinceMs);
    return {
      candidate: sumOf('candidate'),
      // All that the old version answered: the baseline is a part of it that is counted apart.
      champion: addCounts(sumOf('champion'), sumOf('baseline')),
      windows: await countWindows(db, rolloutId, sinceMs),
      byWindow,
      outcomes,
      keys,
      shadow: await readShadow(db, rolloutId, sinceMs),
      scores: await readScores(db, rolloutId, sinceMs),
    };
  });
}

interface Stretch {
  readonly startMs: number;
  readonly endMs: number;
  readonly windowMs: number;
}

/** The ladder as stretches of time whose edges lie on the windows of both sides, so that none overlap. Newest first. */
function windowStretches(nowMs: number): readonly Stretch[] {
  let endMs = Number.MAX_SAFE_INTEGER;
  return WINDOW_LADDER.map(({ youngerThanMs, windowMs }, i) => {
    const coarser = WINDOW_LADDER[i + 1]?.windowMs ?? windowMs;
    const startMs = Number.isFinite(youngerThanMs)
      ? Math.min(endMs, Math.floor((nowMs - youngerThanMs) / coarser) * coarser)
      : 0;
    const stretch = { startMs, endMs, windowMs };
    endMs = startMs;
    return stretch;
  });
}

function ladderWidth(nowMs: number): SQL {
  const edges = windowStretches(nowMs).map((s) => sql`when at_ms >= ${s.startMs}::float8 then ${s.windowMs}::float8`);
  return sql`case ${sql.join(edges, sql` `)} end`;
}

/** Every window of a rollout, each `windowMs` long or shorter where the weights changed: for replaying it. */
export function recordedWindows(
  database: Database,
  rolloutId: string,
  sinceMs: number,
  windowMs: number,
): Promise<readonly ArmWindow[]> {
  return database.run((db) => readWindows(db, rolloutId, sinceMs, sql`${windowMs}::float8`));
}

interface WindowRow extends Record<string, unknown> {
  readonly start_ms: number;
  readonly end_ms: number;
  readonly routes: readonly Route[];
  readonly variant: string;
  readonly requests: number;
  readonly errors: number;
  readonly slow: number;
  readonly latency: number;
}

/**
 * A counter's row belongs to the generation in force when its window began; one from before the rollout's first, or
 * from a process that heard late of its end, to the nearest.
 */
async function readWindows(db: Drizzle, rolloutId: string, sinceMs: number, width: SQL): Promise<readonly ArmWindow[]> {
  const { rows } = await db.execute<WindowRow>(sql`
    with generations as (
      select routes, generation, (extract(epoch from valid_from) * 1000)::float8 as from_ms,
        coalesce((extract(epoch from valid_to) * 1000)::float8, 'infinity') as to_ms,
        generation = min(generation) over () as is_first, generation = max(generation) over () as is_last
      from routing_history where rollout_id = ${rolloutId}
    ), counted as (
      select variant, requests, errors, slow, latency_sum_ms, extract(epoch from window_start)::float8 * 1000 as at_ms
      from variant_counts where rollout_id = ${rolloutId} and window_start >= ${windowsSince(sinceMs)}
    ), placed as (
      select *, ${width} as width from counted
    ), summed as (
      select g.generation, variant, floor(at_ms / width) * width as from_ms, width, sum(requests)::float8 as requests,
        sum(errors)::float8 as errors, sum(slow)::float8 as slow, sum(latency_sum_ms) as latency
      from placed left join generations g
        on (at_ms >= g.from_ms or g.is_first) and (at_ms < g.to_ms or g.is_last)
      group by 1, 2, 3, 4
    )
    select greatest(s.from_ms, case when g.is_first then 0 else g.from_ms end) as start_ms,
      least(s.from_ms + width, case when g.is_last then 'infinity' else g.to_ms end) as end_ms,
      coalesce(g.routes, '[]'::jsonb) as routes, variant, requests, errors, slow, latency
    from summed s left join generations g on g.generation = s.generation
    order by 1`);
  const windows = new Map<string, { startMs: number; endMs: number; routes: readonly Route[]; rows: WindowRow[] }>();
  for (const row of rows) {
    const key = `${row.start_ms}/${JSON.stringify(row.routes)}`;
    const known = windows.get(key) ?? { startMs: row.start_ms, endMs: row.end_ms, routes: row.routes, rows: [] };
    known.rows.push(row);
    windows.set(key, known);
  }
  return [...windows.values()].map(toWindow);
}

/** Two processes' windows that start in the same 10 s are one. */
async function countWindows(db: Drizzle, rolloutId: string, sinceMs: number): Promise<number> {
  const { rows } = await db.execute<{ n: number }>(sql`
    select count(distinct floor(extract(epoch from window_start) / 10))::int as n from variant_counts
    where rollout_id = ${rolloutId} and variant = 'candidate' and requests > 0
      and window_start >= ${windowsSince(sinceMs)}`);
  return rows[0]?.n ?? 0;
}

/** The window that the rollout began in is older than it: its counters name the rollout, so that nothing else is in it. */
const WINDOW_MS = 10_000;
const windowsSince = (sinceMs: number) => after(Math.floor(sinceMs / WINDOW_MS) * WINDOW_MS);

function toWindow(window: {
  startMs: number;
  endMs: number;
  routes: readonly Route[];
  rows: readonly WindowRow[];
}): ArmWindow {
  const { startMs, endMs, routes, rows } = window;
  const countsOf = (arm: Arm): VariantCounts => {
    const row = rows.find((r) => r.variant === arm);
    if (row === undefined) return NO_COUNTS;
    return { requests: row.requests, errors: row.errors, slow: row.slow, latencySumMs: row.latency };
  };
  const weightOf = (arm: Arm) => routes.find((r) => r.variant === arm)?.weightPercent ?? 0;
  return { startMs, durationMs: endMs - startMs, weights: perArm(weightOf), counts: perArm(countsOf) };
}

function perArm<T>(of: (arm: Arm) => T): Record<Arm, T> {
  return Object.fromEntries(ARMS.map((arm) => [arm, of(arm)])) as Record<Arm, T>;
}

async function readShadow(db: Drizzle, rolloutId: string, sinceMs: number): Promise<ShadowStats | null> {
  const { rows } = await db.execute<Record<keyof ShadowStats, number | null>>(sql`
    select sum(pairs)::float8 as "pairs", sum(disagreements)::float8 as "disagreements",
      sum(shadow_errors)::float8 as "shadowErrors", sum(score_diff_sum) as "scoreDiffSum",
      sum(score_diff_sum_of_squares) as "scoreDiffSumOfSquares", sum(latency_diff_sum_ms) as "latencyDiffSumMs",
      sum(latency_diff_sum_of_squares_ms) as "latencyDiffSumOfSquaresMs"
    from shadow_counts
    where rollout_id = ${rolloutId} and window_start >= ${windowsSince(sinceMs)}`);
  const sums = rows[0];
  return sums === undefined || sums.pairs === null ? null : (sums as ShadowStats);
}

/** A sum for each bin: taking the arrays apart would make twenty rows of each. */
async function readScores(db: Drizzle, rolloutId: string, sinceMs: number): Promise<readonly ScoreBins[]> {
  const sums = Array.from(
    { length: SCORE_BINS },
    (_, i) => sql`coalesce(sum(score_bins[${sql.raw(String(i + 1))}]), 0)`,
  );
  const { rows } = await db.execute<{ arm: Arm; bins: readonly number[] }>(sql`
    select variant as arm, array[${sql.join(sums, sql`, `)}]::float8[] as bins
    from variant_counts
    where rollout_id = ${rolloutId} and window_start >= ${windowsSince(sinceMs)} and score_bins is not null
    group by 1 order by 1`);
  return rows;
}
