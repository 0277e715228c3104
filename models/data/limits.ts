import { DomainError } from '../../domain/errors.ts';

/** Everything is in memory while training: 5 million rows of 20 columns are 800 MB. */
const ROWS_MAX = 5_000_000;
/** The graph has one named input per feature; sessions with more than this many inputs are unusably slow. */
const COLUMNS_MAX = 2000;
/** Rows times columns: 8 bytes a cell make 1.2 GB, what a training process with its default limits can hold. */
const CELLS_MAX = 150_000_000;

/** @throws DomainError `dataInvalid` naming the limit that is crossed */
export function checkTableSize(path: string, rows: number, columns: number): void {
  const over = (what: string, found: number, limit: number) => {
    const message = `has ${grouped(found)} ${what}; at most ${grouped(limit)} can be trained on`;
    throw dataFileError(path, message);
  };
  if (columns > COLUMNS_MAX) over('columns', columns, COLUMNS_MAX);
  if (rows > ROWS_MAX) over('rows or more', rows, ROWS_MAX);
  if (rows * columns > CELLS_MAX) over('cells (rows times columns)', rows * columns, CELLS_MAX);
}

export function dataFileError(path: string, message: string): DomainError {
  return new DomainError('dataInvalid', `${path} ${message}`, [{ field: 'data.source', message }]);
}

/** `7,043`: the same whatever the locale of the process. */
export const grouped = (n: number): string => n.toLocaleString('en-GB');
