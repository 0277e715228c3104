import { and, desc, eq, isNotNull, isNull, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import type { FeedbackRecord } from '../domain/records.ts';
import type { Database, Drizzle } from './connect.ts';
import { feedback, predictions } from './schema.ts';
import { storable } from './storable-text.ts';
import { isUuid } from './uuid.ts';

/**
 * Stores a ground truth. By request id: kept also when no such prediction is known yet (they are written behind),
 * with `matched: 0`. By entity: belongs to the entity's latest prediction of the model; kept under the entity when it
 * has none. The label's validity is the caller's matter.
 * @throws DomainError `invalidInput` without an id, with an id that is no UUID, or with the id of another model's prediction
 */
export function saveFeedback(database: Database, record: FeedbackRecord): Promise<{ matched: number }> {
  const { requestId, entityId, model } = record;
  const values = {
    model,
    label: storable(record.label),
    occurredAt: new Date(record.occurredAtMs),
    entityId: entityId === null ? null : storable(entityId),
  };
  if (requestId !== null) {
    if (!isUuid(requestId)) return invalid('request_id', `${storable(requestId)} is not a UUID`);
    return database.transact((tx) => saveByRequest(tx, requestId, values));
  }
  const { entityId: entity } = values;
  if (entity === null) return invalid('request_id', 'a request id or an entity id is needed');
  return database.transact((tx) => saveByEntity(tx, { ...values, entityId: entity }));
}

interface Values {
  readonly model: string;
  readonly label: string;
  readonly occurredAt: Date;
  readonly entityId: string | null;
}

async function saveByRequest(tx: Drizzle, requestId: string, values: Values): Promise<{ matched: number }> {
  const [prediction] = await tx
    .select({ model: predictions.model, entityId: predictions.entityId })
    .from(predictions)
    .where(eq(predictions.requestId, requestId))
    .limit(1);
  if (prediction !== undefined && prediction.model !== values.model) {
    return invalid('model', `request ${requestId} was answered by model ${prediction.model}, not ${values.model}`);
  }
  const entityId = values.entityId ?? prediction?.entityId ?? null;
  await upsertByRequest(tx, requestId, { ...values, entityId });
  return { matched: prediction === undefined ? 0 : 1 };
}

async function saveByEntity(tx: Drizzle, values: Values & { entityId: string }): Promise<{ matched: number }> {
  const { model, entityId } = values;
  const [latest] = await tx
    .select({ requestId: predictions.requestId })
    .from(predictions)
    .where(and(eq(predictions.model, model), eq(predictions.entityId, entityId)))
    .orderBy(desc(predictions.createdAt))
    .limit(1);
  if (latest !== undefined) {
    await upsertByRequest(tx, latest.requestId, values);
    return { matched: 1 };
  }
  // No unique index covers this case: reports on one entity take turns, so that a repeated one replaces the first.
  await tx.execute(sql`select pg_advisory_xact_lock(hashtextextended(${`feedback/${model}/${entityId}`}, 0))`);
  const kept = and(eq(feedback.model, model), eq(feedback.entityId, entityId), isNull(feedback.requestId));
  const replaced = await tx
    .update(feedback)
    .set({ ...values, receivedAt: sql`now()` })
    .where(kept)
    .returning({ id: feedback.id });
  if (replaced.length === 0) await tx.insert(feedback).values(values);
  return { matched: 0 };
}

async function upsertByRequest(tx: Drizzle, requestId: string, values: Values): Promise<void> {
  await tx
    .insert(feedback)
    .values({ ...values, requestId })
    .onConflictDoUpdate({
      target: feedback.requestId,
      targetWhere: isNotNull(feedback.requestId),
      set: { ...values, receivedAt: sql`now()` },
    });
}

function invalid(field: string, message: string): Promise<never> {
  return Promise.reject(new DomainError('invalidInput', 'The feedback cannot be stored', [{ field, message }]));
}
