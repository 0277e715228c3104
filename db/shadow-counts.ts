import { sql } from 'drizzle-orm';
import type { Database } from './connect.ts';
import type { ShadowCountsRow } from './rollout-ports.ts';

export async function saveShadowCounts(database: Database, rows: readonly ShadowCountsRow[]): Promise<void> {
  const json = JSON.stringify(
    rows.map((r) => ({
      instance: r.instance,
      sequence: r.sequence,
      model: r.model,
      rollout_id: r.rolloutId,
      version: r.version,
      window_start: new Date(r.windowStartMs).toISOString(),
      pairs: r.pairs,
      disagreements: r.disagreements,
      shadow_errors: r.shadowErrors,
      dropped: r.dropped,
      score_diff_sum: r.scoreDiffSum,
      score_diff_sum_of_squares: r.scoreDiffSumOfSquares,
      latency_diff_sum_ms: r.latencyDiffSumMs,
      latency_diff_sum_of_squares_ms: r.latencyDiffSumOfSquaresMs,
    })),
  );
  await database.run((db) =>
    db.execute(sql`
      insert into shadow_counts (instance, sequence, model, rollout_id, version, window_start, pairs, disagreements,
        shadow_errors, dropped, score_diff_sum, score_diff_sum_of_squares, latency_diff_sum_ms,
        latency_diff_sum_of_squares_ms)
      select instance, sequence, model, rollout_id, version, window_start, pairs, disagreements, shadow_errors, dropped,
        score_diff_sum, score_diff_sum_of_squares, latency_diff_sum_ms, latency_diff_sum_of_squares_ms
      from json_to_recordset(${json}::json) as r(instance uuid, sequence bigint, model text, rollout_id uuid,
        version int, window_start timestamptz, pairs int, disagreements int, shadow_errors int, dropped int,
        score_diff_sum double precision, score_diff_sum_of_squares double precision,
        latency_diff_sum_ms double precision, latency_diff_sum_of_squares_ms double precision)
      on conflict do nothing`),
  );
}
