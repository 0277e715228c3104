import type { PredictionRecord } from '../../domain/records.ts';

/**
 * A record as one line of JSON, without the line's end. The names are those of the columns it will fill, so that the
 * line goes into the statement as it is. `JSON.stringify` escapes line ends and halves of surrogate pairs.
 */
export function createLineEncoder(): (record: PredictionRecord) => string {
  // What rarely changes from one record to the next is kept as text.
  let last: PredictionRecord | null = null;
  let constant = '';
  return (record) => {
    if (last === null || !sameRoute(last, record)) {
      const { model, version, variant, rolloutId } = record;
      constant = JSON.stringify({ model, version, variant, rollout_id: rolloutId }).slice(1, -1);
    }
    last = record;
    const { requestId, createdAtMs, entityId, features, probability, label, risk, latencyMs } = record;
    return (
      `{"request_id":"${requestId}","created_at_ms":${createdAtMs},${constant},` +
      `"entity_id":${entityId === null ? 'null' : JSON.stringify(entityId)},"features":${JSON.stringify(features)},` +
      `"probability":${probability},"label":${JSON.stringify(label)},"risk":"${risk}","latency_ms":${latencyMs}}`
    );
  };
}

function sameRoute(a: PredictionRecord, b: PredictionRecord): boolean {
  return a.version === b.version && a.variant === b.variant && a.rolloutId === b.rolloutId && a.model === b.model;
}
