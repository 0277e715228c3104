/** The JSON forms of MLflow's scoring protocol. Exactly one of them makes a request; `params` may stand beside it. */
import type { Signature } from '../../../domain/signature.ts';
import type { PredictRequest } from '../../serving/contract.ts';
import { checkRowCount } from '../answer-rows.ts';
import { isObject } from '../client-json.ts';
import type { Fields } from '../client-json.ts';
import { instanceRows } from '../instance-rows.ts';
import type { ProblemList } from '../problem-list.ts';
import { UNUSABLE_ROW, createTableRows, entityColumns } from '../table-rows.ts';

type ReadRows = (value: unknown, signature: Signature, problems: ProblemList) => readonly PredictRequest[];

const FORMS: Readonly<Record<string, ReadRows>> = {
  dataframe_split: readSplit,
  dataframe_records: readList('dataframe_records'),
  instances: readList('instances'),
  inputs: readInputs,
};
const FORM_NAMES = Object.keys(FORMS);

/** @param problems takes what is wrong; the caller refuses */
export function readScoringJson(
  fields: Fields,
  signature: Signature,
  problems: ProblemList,
): readonly PredictRequest[] {
  const known = [...FORM_NAMES, 'params'];
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) problems.addField(name.slice(0, 200), 'is not a known field', known);
  }
  const params = fields['params'];
  // A classifier has no parameters at inference: MLflow's own server ignores those that a model does not know.
  if (params !== undefined && params !== null && !isObject(params)) problems.addField('params', 'expected an object');
  const [form, other] = FORM_NAMES.filter((name) => Object.hasOwn(fields, name));
  if (form === undefined || other !== undefined) {
    problems.addField('body', `expected exactly one of these fields`, FORM_NAMES);
    return [];
  }
  return FORMS[form]?.(fields[form], signature, problems) ?? [];
}

function readList(field: string): ReadRows {
  return (value, signature, problems) => {
    if (Array.isArray(value)) return instanceRows(value, field, signature, problems);
    problems.addField(field, 'expected a list of rows');
    return [];
  };
}

/** Row-wise as `instances`, or columns by name: `{"tenure": [1, 2]}`, also nested as tensors `[rows, 1]` are. */
function readInputs(value: unknown, signature: Signature, problems: ProblemList): readonly PredictRequest[] {
  if (Array.isArray(value)) return instanceRows(value, 'inputs', signature, problems);
  if (!isObject(value)) {
    problems.addField('inputs', 'expected columns by name, or a list of rows');
    return [];
  }
  const columns = Object.entries(value).map(([name, cells]) => ({ name, cells: asColumn(cells) }));
  const rows = columns[0]?.cells?.length ?? 0;
  for (const { name, cells } of columns) {
    if (cells?.length === rows) continue;
    const found = cells === null ? 'it is no list' : `it has ${cells.length}`;
    problems.addField(
      `inputs.${name.slice(0, 200)}`,
      `expected a list of ${rows} values as in the first column, ${found}`,
    );
  }
  checkRowCount(rows, 'inputs', problems);
  checkNames(
    columns.map((column) => column.name),
    signature,
    problems,
  );
  problems.refuseIfAny();
  const table = createTableRows(signature, problems);
  return Array.from({ length: rows }, (_, row) =>
    table.fromRecord(row, Object.fromEntries(columns.map(({ name, cells }) => [name, cells?.[row]]))),
  );
}

function asColumn(cells: unknown): readonly unknown[] | null {
  if (!Array.isArray(cells)) return null;
  return cells.map((cell: unknown) => (Array.isArray(cell) && cell.length === 1 ? (cell[0] as unknown) : cell));
}

/** What pandas writes: `{"columns": [...], "index": [...], "data": [[...]]}`. Without columns: in the features' order. */
function readSplit(value: unknown, signature: Signature, problems: ProblemList): readonly PredictRequest[] {
  const data = isObject(value) ? value['data'] : undefined;
  if (!isObject(value) || !Array.isArray(data)) {
    problems.addField('dataframe_split', 'expected an object with columns and data');
    return [];
  }
  const { columns } = value;
  if (columns === undefined || columns === null) return instanceRows(data, 'dataframe_split.data', signature, problems);
  if (!Array.isArray(columns) || !columns.every((name) => typeof name === 'string')) {
    problems.addField('dataframe_split.columns', 'expected a list of names');
    return [];
  }
  return tableRows(columns, data, 'dataframe_split.data', signature, problems);
}

/** Rows of one table under its column names, which are checked once and not for each row. */
export function tableRows(
  columns: readonly string[],
  data: readonly unknown[],
  field: string,
  signature: Signature,
  problems: ProblemList,
): readonly PredictRequest[] {
  checkNames(columns, signature, problems);
  checkRowCount(data.length, field, problems);
  problems.refuseIfAny();
  const table = createTableRows(signature, problems);
  return data.map((cells, row) => {
    if (Array.isArray(cells) && cells.length === columns.length) {
      return table.fromRecord(row, Object.fromEntries(columns.map((name, i) => [name, cells[i] as unknown])));
    }
    const found = Array.isArray(cells) ? String(cells.length) : 'no list';
    problems.addCell(row, null, `expected ${columns.length} values, one per column, got ${found}`);
    return UNUSABLE_ROW;
  });
}

function checkNames(columns: readonly string[], signature: Signature, problems: ProblemList): void {
  const features = signature.features.map((f) => f.name);
  const known = new Set([...features, ...entityColumns(signature)]);
  const seen = new Set<string>();
  for (const name of columns) {
    const field = `column ${JSON.stringify(name.slice(0, 200))}`;
    if (!known.has(name)) problems.addField(field, 'is no feature of this model', features.slice(0, 50));
    if (seen.has(name)) problems.addField(field, 'is there twice');
    seen.add(name);
  }
}
