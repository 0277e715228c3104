import type { DataTable } from './dataset.ts';
import { dataFileError } from './limits.ts';
import { readCsv } from './read-csv.ts';
import { readParquet } from './read-parquet.ts';

interface TableFormat {
  readonly format: 'csv' | 'parquet';
  /** CSV only; default `,`. */
  readonly delimiter?: string;
}

/**
 * Reads a data file into memory, one array per column. Blank values are missing (`null`; NaN in a number column).
 * @throws DomainError `dataInvalid` naming the file and what is wrong: not there, empty, a ragged line, a header with
 *   two equal names, more rows or columns than the limits of `limits.ts`
 */
export async function readTable(path: string, options: TableFormat): Promise<DataTable> {
  try {
    return options.format === 'csv' ? await readCsv(path, options.delimiter ?? ',') : await readParquet(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw dataFileError(path, 'does not exist');
    if (code === 'EISDIR') throw dataFileError(path, 'is a folder, not a file');
    if (code === 'EACCES') throw dataFileError(path, 'may not be read by this process');
    throw error;
  }
}
