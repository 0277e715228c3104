import type { FeatureType, FeatureValue } from '../../domain/signature.ts';
import type { DataColumn, DataTable } from './dataset.ts';

export function findColumn(table: DataTable, name: string): DataColumn | undefined {
  return table.columns.find((column) => column.name === name);
}

/** The cell as text, the same whether the file was CSV or Parquet; `null` when missing. */
export function cellText(column: DataColumn, row: number): string | null {
  const value = column.values[row] ?? null;
  if (typeof value === 'number') return Number.isNaN(value) ? null : String(value);
  return value === null ? null : String(value);
}

export function isMissing(column: DataColumn, row: number): boolean {
  const value = column.values[row] ?? null;
  return value === null || (typeof value === 'number' && Number.isNaN(value));
}

export function countMissing(column: DataColumn): number {
  let missing = 0;
  for (let row = 0; row < column.values.length; row += 1) if (isMissing(column, row)) missing += 1;
  return missing;
}

/** The cell as a client would send it for a feature of this type; `null` when missing. */
export function featureValueAt(column: DataColumn, type: FeatureType, row: number): FeatureValue {
  const text = cellText(column, row);
  if (text === null || type === 'category') return text;
  if (type === 'boolean') return text === '1' || text.toLowerCase() === 'true';
  return column.kind === 'boolean' ? Number(text === 'true') : Number(text);
}

/** The table with only these rows, in this order. */
export function selectRows(table: DataTable, rows: Int32Array): DataTable {
  const columns = table.columns.map((column): DataColumn => {
    const { name, kind } = column;
    if (kind === 'number') return { name, kind, values: Float64Array.from(rows, (row) => column.values[row] ?? NaN) };
    if (kind === 'boolean') return { name, kind, values: Array.from(rows, (row) => column.values[row] ?? null) };
    return { name, kind, values: Array.from(rows, (row) => column.values[row] ?? null) };
  });
  return { columns, rows: rows.length };
}

/** Distinct texts of a column, at most `limit + 1` of them, in order of appearance. */
export function distinctTexts(column: DataColumn, limit: number): Set<string> {
  const found = new Set<string>();
  for (let row = 0; row < column.values.length && found.size <= limit; row += 1) {
    const text = cellText(column, row);
    if (text !== null) found.add(text);
  }
  return found;
}

/** True when no two rows share a value and none is missing; stops at the first that does. */
export function isAllDistinct(column: DataColumn): boolean {
  const seen = new Set<string | number | boolean | null>();
  for (let row = 0; row < column.values.length; row += 1) {
    const value = column.values[row] ?? null;
    if (isMissing(column, row) || seen.has(value)) return false;
    seen.add(value);
  }
  return seen.size > 1;
}
