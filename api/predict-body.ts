/** Checks predict bodies by hand: a schema library would cost more than the prediction. Features are the serving path's. */
import { DomainError } from '../domain/errors.ts';
import type { Problem } from '../domain/errors.ts';
import { BATCH_ROWS_MAX, ENTITY_ID_LENGTH_MAX } from './schemas/predictions.ts';
import type { PredictRequest } from './serving/contract.ts';

export interface PredictBody {
  readonly model: string | null;
  readonly request: PredictRequest;
}

/** A row that cannot be a request at all keeps its place: the others of the batch are answered all the same. */
export type BatchRow = PredictRequest | { readonly problems: readonly Problem[] };

export interface PredictBatchBody {
  readonly model: string | null;
  readonly rows: readonly BatchRow[];
}

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const NOT_AN_OBJECT: Problem = { field: 'body', message: 'expected an object' };

function refuseIfAny(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new DomainError('invalidInput', 'The body cannot be used as it is', problems);
}

function unknownFields(fields: Fields, known: readonly string[], prefix: string, problems: Problem[]): void {
  for (const name in fields) {
    if (known.includes(name)) continue;
    problems.push({ field: `${prefix}${name}`, message: 'is not a known field', allowed: known });
  }
}

function readModel(fields: Fields, problems: Problem[]): string | null {
  const { model } = fields;
  if (model === undefined || model === null) return null;
  if (typeof model === 'string' && model !== '') return model;
  problems.push({ field: 'model', message: 'expected the name of a model' });
  return null;
}

function readRequest(fields: Fields, problems: Problem[]): PredictRequest {
  const { entity_id: entity, features } = fields;
  let entityId: string | null = null;
  if (typeof entity === 'string' && entity !== '' && entity.length <= ENTITY_ID_LENGTH_MAX) entityId = entity;
  // An id column of whole numbers reads as one; the entity is the same either way.
  else if (typeof entity === 'number' && Number.isSafeInteger(entity)) entityId = String(entity);
  else if (entity !== undefined && entity !== null) {
    const message = `expected a text of 1 to ${ENTITY_ID_LENGTH_MAX} characters, a whole number, or null`;
    problems.push({ field: 'entity_id', message });
  }
  if (!isObject(features)) problems.push({ field: 'features', message: 'expected an object of features by name' });
  return { entityId, features };
}

const SINGLE = ['entity_id', 'features'];
const SINGLE_WITH_MODEL = ['model', ...SINGLE];
const BATCH = ['model', 'instances'];

/**
 * `{model?, entity_id?, features}`; without `model` where the path names it.
 * @throws DomainError `invalidInput` with every field that is wrong
 */
export function parsePredictBody(value: unknown, modelInPath: boolean): PredictBody {
  if (!isObject(value)) throw new DomainError('invalidInput', 'The body cannot be used as it is', [NOT_AN_OBJECT]);
  const problems: Problem[] = [];
  unknownFields(value, modelInPath ? SINGLE : SINGLE_WITH_MODEL, '', problems);
  const model = modelInPath ? null : readModel(value, problems);
  const request = readRequest(value, problems);
  refuseIfAny(problems);
  return { model, request };
}

/**
 * `{model?, instances: [{entity_id?, features}]}`.
 * @throws DomainError `invalidInput` when the body itself is wrong; a wrong row is a row with problems
 */
export function parsePredictBatchBody(value: unknown): PredictBatchBody {
  if (!isObject(value)) throw new DomainError('invalidInput', 'The body cannot be used as it is', [NOT_AN_OBJECT]);
  const problems: Problem[] = [];
  unknownFields(value, BATCH, '', problems);
  const model = readModel(value, problems);
  const { instances } = value;
  if (!Array.isArray(instances) || instances.length === 0 || instances.length > BATCH_ROWS_MAX) {
    problems.push({ field: 'instances', message: `expected a list of 1 to ${BATCH_ROWS_MAX} rows` });
    refuseIfAny(problems);
  }
  refuseIfAny(problems);
  return { model, rows: (instances as unknown[]).map(readRow) };
}

function readRow(value: unknown): BatchRow {
  if (!isObject(value)) return { problems: [{ field: 'instance', message: 'expected an object' }] };
  const problems: Problem[] = [];
  unknownFields(value, SINGLE, '', problems);
  const request = readRequest(value, problems);
  return problems.length === 0 ? request : { problems };
}
