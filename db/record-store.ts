import { eq, sql } from 'drizzle-orm';
import type { PredictionRecord, RiskCategory } from '../domain/records.ts';
import type { Variant } from '../domain/routing.ts';
import type { Database } from './connect.ts';
import { observeRollout, recordedWindows } from './observe-rollout.ts';
import { createOutcomeReader } from './outcome-reader.ts';
import { compactCounts } from './compact-counts.ts';
import { ensurePartitions } from './partitions.ts';
import type { CountsRow, RecordStore } from './ports.ts';
import { saveShadowCounts } from './shadow-counts.ts';
import { saveFeedback } from './save-feedback.ts';
import { predictions } from './schema.ts';
import { readTraffic } from './traffic.ts';
import { storable } from './storable-text.ts';
import { isUuid } from './uuid.ts';

/** Rows of one statement: a few MB of JSON, well under a second. Longer lists are written in several. */
const ROWS_PER_STATEMENT = 10_000;

export function createRecordStore(database: Database, nowMs: () => number): RecordStore {
  const readOutcomes = createOutcomeReader(database);
  return {
    savePredictions: (records) => inStatements(records, (part) => savePredictions(database, part)),
    saveCounts: (rows) => inStatements(rows, (part) => saveCounts(database, part)),
    saveShadowCounts: (rows) => inStatements(rows, (part) => saveShadowCounts(database, part)),
    observe: (rolloutId, sinceMs) => observeRollout(database, rolloutId, sinceMs, nowMs(), readOutcomes),
    recordedWindows: (rolloutId, sinceMs, windowMs) => recordedWindows(database, rolloutId, sinceMs, windowMs),
    traffic: (model, sinceMs, untilMs) => readTraffic(database, model, sinceMs, untilMs),
    findPrediction: (requestId) => findPrediction(database, requestId),
    saveFeedback: (record) => saveFeedback(database, record),
    compactCounts: () => compactCounts(database, nowMs()),
    ensurePartitions: (daysAhead) => ensurePartitions(database, daysAhead, nowMs()),
  };
}

async function inStatements<T>(rows: readonly T[], write: (part: readonly T[]) => Promise<void>): Promise<void> {
  for (let i = 0; i < rows.length; i += ROWS_PER_STATEMENT) await write(rows.slice(i, i + ROWS_PER_STATEMENT));
}

/** As one JSON parameter: a row of placeholders each would pass the protocol's 65,535 parameters at 5,462 rows. */
async function savePredictions(database: Database, records: readonly PredictionRecord[]): Promise<void> {
  const rows = JSON.stringify(
    records.map((r) => ({
      request_id: r.requestId,
      created_at: new Date(r.createdAtMs).toISOString(),
      model: r.model,
      version: r.version,
      variant: r.variant,
      rollout_id: r.rolloutId,
      entity_id: r.entityId,
      features: r.features,
      probability: r.probability,
      label: r.label,
      risk: r.risk,
      latency_ms: r.latencyMs,
    })),
    // One record with a character that Postgres cannot hold would fail its whole batch, again at each try.
    (_, value: unknown) => (typeof value === 'string' ? storable(value) : value),
  );
  await database.run((db) =>
    db.execute(sql`
      insert into predictions (request_id, created_at, model, version, variant, rollout_id, entity_id, features,
        probability, label, risk, latency_ms)
      select request_id, created_at, model, version, variant, rollout_id, entity_id, features,
        probability, label, risk, latency_ms
      from json_to_recordset(${rows}::json) as r(request_id uuid, created_at timestamptz, model text, version int,
        variant text, rollout_id uuid, entity_id text, features jsonb, probability double precision, label text,
        risk text, latency_ms real)
      on conflict do nothing`),
  );
}

async function saveCounts(database: Database, rows: readonly CountsRow[]): Promise<void> {
  const json = JSON.stringify(
    rows.map((r) => ({
      instance: r.instance,
      sequence: r.sequence,
      model: r.model,
      rollout_id: r.rolloutId,
      variant: r.variant,
      version: r.version,
      window_start: new Date(r.windowStartMs).toISOString(),
      requests: r.requests,
      errors: r.errors,
      slow: r.slow,
      latency_sum_ms: r.latencySumMs,
      score_bins: r.scoreBins ?? null,
    })),
  );
  await database.run((db) =>
    db.execute(sql`
      insert into variant_counts (instance, sequence, model, rollout_id, variant, version, window_start, requests,
        errors, slow, latency_sum_ms, score_bins)
      select instance, sequence, model, rollout_id, variant, version, window_start, requests, errors, slow,
        latency_sum_ms, score_bins
      from json_to_recordset(${json}::json) as r(instance uuid, sequence bigint, model text, rollout_id uuid,
        variant text, version int, window_start timestamptz, requests int, errors int, slow int,
        latency_sum_ms double precision, score_bins int[])
      on conflict do nothing`),
  );
}

async function findPrediction(database: Database, requestId: string): Promise<PredictionRecord | null> {
  if (!isUuid(requestId)) return null;
  return database.run(async (db) => {
    const [row] = await db.select().from(predictions).where(eq(predictions.requestId, requestId)).limit(1);
    if (row === undefined) return null;
    const { createdAt, variant, risk, ...rest } = row;
    return { ...rest, variant: variant as Variant, risk: risk as RiskCategory, createdAtMs: createdAt.getTime() };
  });
}
