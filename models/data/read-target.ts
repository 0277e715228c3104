import type { ModelDefinition } from '../../domain/definition.ts';
import { DomainError, type Problem } from '../../domain/errors.ts';
import { nearestName } from '../nearest-name.ts';
import { cellText, distinctTexts, findColumn } from './cells.ts';
import type { DataColumn, DataTable } from './dataset.ts';

/** Values named in an error about the target. */
const VALUES_NAMED_MAX = 10;

export interface Target {
  readonly positive: string;
  readonly negative: string;
  /** 1 positive, 0 negative, -1 blank. */
  readonly labels: Int8Array;
  readonly positives: number;
  readonly negatives: number;
  readonly blank: number;
}

/**
 * The two classes of the target column.
 * @throws DomainError `dataInvalid` when the column is not there, has not exactly two values, or never holds the
 *   positive one; names the values found
 */
export function readTarget(table: DataTable, target: ModelDefinition['target']): Target {
  const column = findColumn(table, target.column);
  if (column === undefined) throw invalid(missingColumn(table, 'target.column', target.column));
  const values = [...distinctTexts(column, VALUES_NAMED_MAX)].sort();
  const positive = values.find((value) => isClass(column, value, target.positive));
  const [first, second] = values;
  if (values.length !== 2 || first === undefined || second === undefined) {
    const message = `"${target.column}" must have exactly two values, found ${countOf(values)}${listOf(values)}`;
    throw invalid({ field: 'target.column', message });
  }
  if (positive === undefined) {
    const message = `"${target.positive}" never occurs in "${target.column}", found${listOf(values)}`;
    throw invalid({ field: 'target.positive', message, allowed: values });
  }
  return labelRows(column, positive, positive === first ? second : first);
}

/** A problem about a column the data does not have, with the name that was probably meant. */
export function missingColumn(table: DataTable, field: string, name: string): Problem {
  const names = table.columns.map((column) => column.name);
  const meant = nearestName(name, names);
  const message = `the data has no column "${name}"${meant === null ? '' : `, did you mean "${meant}"?`}`;
  return { field, message, allowed: names };
}

/** `1.0` names the class 1 of a number column, `True` the class true of a boolean one. */
function isClass(column: DataColumn, value: string, named: string): boolean {
  if (column.kind === 'number') return Number(value) === Number(named) && named.trim() !== '';
  return column.kind === 'boolean' ? value === named.toLowerCase() : value === named;
}

function labelRows(column: DataColumn, positive: string, negative: string): Target {
  const labels = new Int8Array(column.values.length);
  let positives = 0;
  let blank = 0;
  for (let row = 0; row < labels.length; row += 1) {
    const text = cellText(column, row);
    labels[row] = text === null ? -1 : Number(text === positive);
    if (text === null) blank += 1;
    else if (text === positive) positives += 1;
  }
  return { positive, negative, labels, positives, negatives: labels.length - positives - blank, blank };
}

const countOf = (values: readonly string[]): string =>
  values.length > VALUES_NAMED_MAX ? `more than ${VALUES_NAMED_MAX}` : String(values.length);

const listOf = (values: readonly string[]): string => {
  if (values.length === 0) return '';
  const named = values.slice(0, VALUES_NAMED_MAX).map((value) => `"${value}"`);
  return `: ${named.join(', ')}${values.length > VALUES_NAMED_MAX ? ', ...' : ''}`;
};

const invalid = (problem: Problem): DomainError =>
  new DomainError('dataInvalid', `The target cannot be used: ${problem.message}`, [problem]);
