/** Input tensors to rows: one tensor per raw feature, or one numeric matrix of all of them. */
import type { FeatureSpec, FeatureType, Signature } from '../../../domain/signature.ts';
import { checkRowCount } from '../answer-rows.ts';
import type { ProblemList } from '../problem-list.ts';
import { createTableRows, entityColumns } from '../table-rows.ts';
import type { PredictRequest } from '../../serving/contract.ts';
import { BYTES, DATATYPES, isNumeric } from './datatypes.ts';
import type { TensorValue } from './datatypes.ts';
import type { InputTensor } from './infer-request.ts';

/**
 * What the metadata names. A number is FP64: what a JSON client sends is one, and ranges are checked on it, so that a
 * value at the edge of its range is the same in both forms. Other numeric types are taken as they are.
 */
export const DATATYPE_OF: Readonly<Record<FeatureType, string>> = {
  number: 'FP64',
  integer: 'INT64',
  category: BYTES,
  boolean: 'BOOL',
};

function takes({ type }: FeatureSpec, datatype: string): boolean {
  return type === 'number' || type === 'integer' ? isNumeric(datatype) : datatype === DATATYPE_OF[type];
}

/** Rows of a request; what is wrong with the tensors as such goes to `problems`, values are the serving path's. */
export function rowsOfTensors(
  inputs: readonly InputTensor[],
  signature: Signature,
  problems: ProblemList,
): readonly PredictRequest[] {
  const matrix = matrixOf(inputs, signature);
  return matrix === null ? rowsOfColumns(inputs, signature, problems) : rowsOfMatrix(matrix, signature, problems);
}

/** For models whose features are all numbers: one tensor `[rows, features]` under any name that is no feature's. */
function matrixOf(inputs: readonly InputTensor[], { features }: Signature): InputTensor | null {
  const [input, other] = inputs;
  if (input === undefined || other !== undefined || input.shape[1] !== features.length || features.length < 2)
    return null;
  const allNumbers = features.every((f) => f.type === 'number' || f.type === 'integer');
  const isFeature = features.some((f) => f.name === input.name);
  return allNumbers && !isFeature && isNumeric(input.datatype) ? input : null;
}

function rowsOfMatrix({ values, shape }: InputTensor, signature: Signature, problems: ProblemList) {
  const [rows = 0, width = 1] = shape;
  checkRowCount(rows, 'inputs', problems);
  problems.refuseIfAny();
  const table = createTableRows(signature, problems);
  return Array.from({ length: rows }, (_, row) =>
    table.fromArray(row, values.slice(row * width, (row + 1) * width).map(featureValue)),
  );
}

function rowsOfColumns(inputs: readonly InputTensor[], signature: Signature, problems: ProblemList) {
  const rows = inputs[0]?.shape[0] ?? 0;
  const entities = entityColumns(signature);
  const specs = new Map(signature.features.map((f) => [f.name, f]));
  for (const input of inputs) checkColumn(input, rows, specs, entities, problems);
  checkMissing(inputs, signature, problems);
  checkRowCount(rows, 'inputs', problems);
  problems.refuseIfAny();
  const table = createTableRows(signature, problems);
  return Array.from({ length: rows }, (_, row) => {
    const cells = inputs.map(({ name, values }) => {
      const value = values[row];
      return [name, specs.has(name) ? featureValue(value) : value] as const;
    });
    return table.fromRecord(row, Object.fromEntries(cells));
  });
}

function checkColumn(
  { name, datatype, shape }: InputTensor,
  rows: number,
  specs: ReadonlyMap<string, FeatureSpec>,
  entities: readonly string[],
  problems: ProblemList,
): void {
  const field = `inputs.${name.slice(0, 200)}`;
  const spec = specs.get(name);
  if (spec === undefined && !entities.includes(name)) {
    problems.addField(field, 'is no input of this model', [...specs.keys()].slice(0, 50));
    return;
  }
  if (shape[0] !== rows || (shape[1] ?? 1) !== 1) {
    problems.addField(`${field}.shape`, `expected [${rows}, 1] as of the first input, got [${shape.join(', ')}]`);
  }
  const isTaken = spec === undefined ? datatype === BYTES || isNumeric(datatype) : takes(spec, datatype);
  if (isTaken) return;
  const allowed = spec === undefined ? [BYTES, 'INT64'] : DATATYPES.filter((d) => takes(spec, d));
  problems.addField(`${field}.datatype`, `${datatype} cannot stand for it`, allowed);
}

/** Said once per input; each row would say it again. */
function checkMissing(inputs: readonly InputTensor[], { features }: Signature, problems: ProblemList): void {
  const given = new Set(inputs.map((input) => input.name));
  for (const { name, type, missing } of features) {
    if (missing === 'flag' || given.has(name)) continue;
    problems.addField(`inputs.${name.slice(0, 200)}`, `is missing; expected a tensor of ${DATATYPE_OF[type]}`);
  }
}

/** NaN is how a float tensor says missing. A long integer becomes the nearest number: the model computes in floats. */
function featureValue(value: TensorValue | undefined): TensorValue {
  if (typeof value === 'bigint') return Number(value);
  return value === undefined || Number.isNaN(value) ? null : value;
}
