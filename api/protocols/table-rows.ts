/** Rows as tables have them, made into what the serving path takes. */
import type { Signature } from '../../domain/signature.ts';
import { ENTITY_ID_LENGTH_MAX } from '../schemas/predictions.ts';
import type { PredictRequest } from '../serving/contract.ts';
import { isObject } from './client-json.ts';
import type { ProblemList } from './problem-list.ts';

/** The name under which the native routes take the entity; here it is a column like any other. */
const ENTITY_ID = 'entity_id';

/** Columns that identify the entity: `entity_id`, and the one of the training data. A feature of that name goes first. */
export function entityColumns({ entity, features }: Signature): readonly string[] {
  const names = entity === null || entity === ENTITY_ID ? [ENTITY_ID] : [ENTITY_ID, entity];
  return names.filter((name) => features.every((f) => f.name !== name));
}

/** The entity as the data has it: a text, or a whole number; missing is no entity. `undefined`: neither. */
function readEntity(value: unknown): string | null | undefined {
  if (value === null || value === undefined || value === '') return null;
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
  return typeof value === 'string' && value.length <= ENTITY_ID_LENGTH_MAX ? value : undefined;
}

/** Keeps the place of a row whose problem is known already. */
export const UNUSABLE_ROW: PredictRequest = { entityId: null, features: {} };

export interface TableRows {
  /** A row by column name. What is no feature is left to the serving path to refuse. */
  fromRecord(row: number, value: unknown): PredictRequest;
  /** A row in the order of the signature's features. */
  fromArray(row: number, values: readonly unknown[]): PredictRequest;
}

export function createTableRows(signature: Signature, problems: ProblemList): TableRows {
  const names = signature.features.map((f) => f.name);
  const entities = entityColumns(signature);

  function fromRecord(row: number, value: unknown): PredictRequest {
    if (!isObject(value)) {
      problems.addCell(row, null, 'expected an object of values by name');
      return UNUSABLE_ROW;
    }
    const given = entities.filter((name) => Object.hasOwn(value, name));
    if (given.length === 0) return { entityId: null, features: value };
    const features = Object.fromEntries(Object.entries(value).filter(([name]) => !given.includes(name)));
    return { entityId: entityOf(row, given, value), features };
  }

  function entityOf(row: number, given: readonly string[], value: Readonly<Record<string, unknown>>): string | null {
    const [name = ENTITY_ID, other] = given;
    if (other !== undefined) problems.addCell(row, other, `says the same as ${name}: send one of them`);
    const entity = readEntity(value[name]);
    if (entity !== undefined) return entity;
    problems.addCell(row, name, `expected a text of at most ${ENTITY_ID_LENGTH_MAX} characters, or a whole number`);
    return null;
  }

  function fromArray(row: number, values: readonly unknown[]): PredictRequest {
    if (values.length !== names.length) {
      const message = `expected ${names.length} values in the order of the model's features, got ${values.length}`;
      problems.addCell(row, null, message, names.slice(0, 50));
      return UNUSABLE_ROW;
    }
    return { entityId: null, features: Object.fromEntries(names.map((name, i) => [name, values[i]])) };
  }

  return { fromRecord, fromArray };
}
