import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';
import { featureValueAt, findColumn, isMissing } from './cells.ts';
import type { DataTable } from './dataset.ts';

/** Rows looked through for one without blanks. */
const ROWS_SEARCHED_MAX = 1000;

/**
 * A real row as a client would send it, for a request to copy and paste: the row asked for, else the first without
 * blanks, else the first.
 */
export function exampleRow(
  table: DataTable,
  features: readonly FeatureSpec[],
  row: number = firstCompleteRow(table, features),
): Readonly<Record<string, FeatureValue>> {
  return Object.fromEntries(
    features.map((feature) => {
      const column = findColumn(table, feature.name);
      return [feature.name, column === undefined ? null : featureValueAt(column, feature.type, row)];
    }),
  );
}

function firstCompleteRow(table: DataTable, features: readonly FeatureSpec[]): number {
  const columns = features.flatMap((feature) => findColumn(table, feature.name) ?? []);
  const end = Math.min(table.rows, ROWS_SEARCHED_MAX);
  for (let row = 0; row < end; row += 1) if (!columns.some((column) => isMissing(column, row))) return row;
  return 0;
}
