import type { PredictionRecord } from '../../domain/records.ts';

/** What a line holds beside the features. */
export type RecordFacts = Omit<PredictionRecord, 'features'>;

/** A record as one line of JSON; see `createFactsEncoder`. */
export function createLineEncoder(): (record: PredictionRecord) => string {
  const encode = createFactsEncoder();
  return (record) => encode(record, JSON.stringify(record.features));
}

/**
 * A record as one line of JSON, without the line's end. The names are those of the columns it will fill, so that the
 * line goes into the statement as it is. `JSON.stringify` escapes line ends and halves of surrogate pairs.
 * @returns makes the line; `featuresJson` is an object in one line
 */
export function createFactsEncoder(): (facts: RecordFacts, featuresJson: string) => string {
  // What rarely changes from one record to the next is kept as text.
  let last: RecordFacts | null = null;
  let constant = '';
  const labels = new Map<string, string>();
  const labelJson = (label: string): string => {
    if (labels.size > LABELS_MAX) labels.clear();
    const json = JSON.stringify(label);
    labels.set(label, json);
    return json;
  };
  return (facts, featuresJson) => {
    if (last === null || !sameRoute(last, facts)) {
      const { model, version, variant, rolloutId } = facts;
      constant = JSON.stringify({ model, version, variant, rollout_id: rolloutId }).slice(1, -1);
    }
    last = facts;
    const { requestId, createdAtMs, entityId, probability, label, risk, latencyMs } = facts;
    return (
      `{"request_id":"${requestId}","created_at_ms":${createdAtMs},${constant},` +
      `"entity_id":${entityId === null ? 'null' : JSON.stringify(entityId)},"features":${featuresJson},` +
      `"probability":${probability},"label":${labels.get(label) ?? labelJson(label)},"risk":"${risk}","latency_ms":${latencyMs}}`
    );
  };
}

/** Every model has two. */
const LABELS_MAX = 100;

/** The record of a line that was made here. */
export function recordOfLine(line: string): PredictionRecord {
  const held = JSON.parse(line) as Readonly<Record<string, unknown>>;
  const { request_id, created_at_ms, rollout_id, entity_id, latency_ms, ...rest } = held;
  return {
    ...rest,
    requestId: request_id,
    createdAtMs: created_at_ms,
    rolloutId: rollout_id,
    entityId: entity_id,
    latencyMs: latency_ms,
  } as PredictionRecord;
}

function sameRoute(a: RecordFacts, b: RecordFacts): boolean {
  return a.version === b.version && a.variant === b.variant && a.rolloutId === b.rolloutId && a.model === b.model;
}
