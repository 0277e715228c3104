import type { ModelDefinition } from '../../domain/definition.ts';
import { CATEGORY_MISSING, CATEGORY_UNKNOWN } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';
import { cellText, featureValueAt, findColumn, selectRows } from './cells.ts';
import type { DataColumn, DataSet, DataTable } from './dataset.ts';
import { inferFeatures } from './infer-features.ts';
import { grouped } from './limits.ts';
import { markHeldOut } from './mark-held-out.ts';
import { readTarget } from './read-target.ts';

interface BuiltDataSet {
  readonly dataSet: DataSet;
  /** What was decided and why, one line each. */
  readonly notes: readonly string[];
}

/**
 * Turns a table into what trainers learn from: rows with a target, features inferred, values encoded as
 * `domain/encoding.ts` says, a part held out.
 * @throws DomainError `dataInvalid` when the target or the features cannot be used, or a class is missing on a side
 */
export function buildDataSet(table: DataTable, definition: ModelDefinition): BuiltDataSet {
  const labelled = rowsWithTarget(table, definition);
  const target = readTarget(labelled, definition.target);
  const { features, notes } = inferFeatures(labelled, definition);
  const labels = Uint8Array.from(target.labels);
  const heldOut = markHeldOut(labelled, definition);
  requireBothClasses(labels, heldOut);
  const columns = features.map((feature) => columnOf(labelled, feature));
  const dropped = table.rows - labelled.rows;
  return {
    dataSet: {
      features,
      rows: labelled.rows,
      matrix: encode(labelled.rows, features, columns),
      labels,
      heldOut,
      negative: target.negative,
      rawRow: (row) => rawRow(features, columns, row),
    },
    notes: dropped === 0 ? notes : [droppedNote(dropped, table.rows, definition.target.column), ...notes],
  };
}

function rowsWithTarget(table: DataTable, definition: ModelDefinition): DataTable {
  const { labels, blank } = readTarget(table, definition.target);
  if (blank === 0) return table;
  return selectRows(
    table,
    Int32Array.from(labels.keys()).filter((row) => labels[row] !== -1),
  );
}

const droppedNote = (dropped: number, rows: number, column: string): string =>
  `${column}: ${grouped(dropped)} of ${grouped(rows)} rows are dropped, their target is blank`;

function columnOf(table: DataTable, feature: FeatureSpec): DataColumn {
  const column = findColumn(table, feature.name);
  if (column === undefined) throw new DomainError('internal', `No column for the feature ${feature.name}`);
  return column;
}

function encode(rows: number, features: readonly FeatureSpec[], columns: readonly DataColumn[]): Float32Array {
  const matrix = new Float32Array(rows * features.length);
  features.forEach((feature, f) => {
    const column = columns[f];
    if (column === undefined) return;
    const encodeCell = cellEncoder(feature, column);
    for (let row = 0; row < rows; row += 1) matrix[row * features.length + f] = encodeCell(row);
  });
  return matrix;
}

function cellEncoder(feature: FeatureSpec, column: DataColumn): (row: number) => number {
  if (feature.type === 'category') {
    const codes = new Map(feature.categories?.map((category, code) => [category, code]));
    return (row) => {
      const text = cellText(column, row);
      return text === null ? CATEGORY_MISSING : (codes.get(text) ?? CATEGORY_UNKNOWN);
    };
  }
  return (row) => {
    const value = featureValueAt(column, feature.type, row);
    return value === null ? NaN : Number(value);
  };
}

function rawRow(
  features: readonly FeatureSpec[],
  columns: readonly DataColumn[],
  row: number,
): Readonly<Record<string, FeatureValue>> {
  return Object.fromEntries(
    features.map((feature, f) => {
      const column = columns[f];
      return [feature.name, column === undefined ? null : featureValueAt(column, feature.type, row)];
    }),
  );
}

/** Training needs both classes, and so does every metric of the evaluation. */
function requireBothClasses(labels: Uint8Array, heldOut: Uint8Array): void {
  const seen = [new Set<number>(), new Set<number>()] as const;
  labels.forEach((label, row) => seen[heldOut[row] === 1 ? 1 : 0].add(label));
  const poor = seen.findIndex((classes) => classes.size < 2);
  if (poor === -1) return;
  const part = poor === 1 ? 'held-out part' : 'part to train on';
  throw new DomainError(
    'dataInvalid',
    `The ${part} does not hold both classes: more rows, or of the rarer class, are needed`,
    [{ field: 'data', message: `the ${part} does not hold both classes` }],
  );
}
