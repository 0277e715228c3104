import {
  asyncBufferFromFile,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type ColumnData,
  type FileMetaData,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DomainError } from '../../domain/errors.ts';
import { growingFloats } from './column-builder.ts';
import type { DataColumn, DataTable } from './dataset.ts';
import { checkTableSize, dataFileError } from './limits.ts';
import { checkHeader } from './read-csv.ts';

/**
 * Reads a flat Parquet file, row group by row group: numbers and decimals as numbers, booleans, texts, dates and times
 * as ISO 8601 text. Nested columns and whole numbers beyond 2^53 are refused, not rounded.
 * @throws DomainError `dataInvalid` naming the file, the column and what is wrong
 */
export async function readParquet(path: string): Promise<DataTable> {
  try {
    const file = await asyncBufferFromFile(path);
    if (file.byteLength === 0) throw dataFileError(path, 'is empty');
    const metadata = await parquetMetadataAsync(file);
    const names = checkHeader(path, flatColumns(path, metadata));
    const rows = Number(metadata.num_rows);
    checkTableSize(path, rows, names.length);
    if (rows === 0) throw dataFileError(path, 'has columns but no rows');
    const columns = new Map(names.map((name) => [name, createParquetColumn(path, name)]));
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      // Taken in after the read: an error thrown inside `onChunk` would leave the reader's other columns unawaited.
      const chunks: ColumnData[] = [];
      await parquetRead({ file, metadata, compressors, rowStart, rowEnd, onChunk: (chunk) => chunks.push(chunk) });
      for (const chunk of chunks) {
        const column = columns.get(chunk.columnName.trim());
        for (let i = 0; i < chunk.columnData.length; i += 1) column?.add(chunk.columnData[i] as unknown);
      }
      rowStart = rowEnd;
    }
    const finished = [...columns.values()].map((column) => column.finish());
    const short = finished.find((column) => column.values.length !== rows);
    if (short !== undefined)
      throw dataFileError(path, `is damaged: column "${short.name}" has other rows than the file says`);
    return { columns: finished, rows };
  } catch (error) {
    // A file system's error is told apart by its system call; all others come out of the content.
    if (error instanceof DomainError || (error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    throw dataFileError(path, `cannot be read as Parquet: ${(error as Error).message}`);
  }
}

function flatColumns(path: string, metadata: FileMetaData): string[] {
  return parquetSchema(metadata).children.map(({ element, children }) => {
    if (children.length > 0 || element.repetition_type === 'REPEATED') {
      throw dataFileError(path, `has a nested column "${element.name}"; only flat columns can be used`);
    }
    return element.name;
  });
}

type Cell = number | string | boolean | null;

function createParquetColumn(path: string, name: string): { add(value: unknown): void; finish(): DataColumn } {
  const numbers = growingFloats();
  const others: (string | boolean | null)[] = [];
  let kind: 'number' | 'text' | 'boolean' | null = null;
  let leadingNulls = 0;

  const start = (value: number | string | boolean) => {
    kind = typeof value === 'number' ? 'number' : typeof value === 'string' ? 'text' : 'boolean';
    for (let i = 0; i < leadingNulls; i += 1) {
      if (kind === 'number') numbers.push(NaN);
      else others.push(null);
    }
  };
  return {
    add(raw) {
      const value = toCell(path, name, raw);
      if (kind === null) {
        if (value === null) {
          leadingNulls += 1;
          return;
        }
        start(value);
      }
      if (kind === 'number') numbers.push(value === null ? NaN : Number(value));
      else others.push(value as string | boolean | null);
    },
    finish() {
      if (kind === 'number') return { name, kind, values: numbers.values() };
      if (kind === 'boolean') return { name, kind, values: others as (boolean | null)[] };
      const values = kind === null ? Array.from({ length: leadingNulls }, () => null) : (others as (string | null)[]);
      return { name, kind: 'text', values };
    },
  };
}

/** Parquet columns hold one type, so that the kind of the first value is the kind of all. NaN is missing. */
function toCell(path: string, name: string, value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (typeof value === 'number') return Number.isNaN(value) ? null : value;
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value.trim() === '' ? null : value;
  if (typeof value === 'bigint') {
    const number = Number(value);
    if (Number.isSafeInteger(number)) return number;
    throw dataFileError(
      path,
      `has ${value} in column "${name}": whole numbers beyond 2^53 lose digits; store it as text`,
    );
  }
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  throw dataFileError(path, `has values in column "${name}" that are neither numbers, texts, booleans nor times`);
}
