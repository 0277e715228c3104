import type { DataTable } from './dataset.ts';

export interface TableFormat {
  readonly format: 'csv' | 'parquet';
  /** CSV only; default `,`. */
  readonly delimiter?: string;
}

export function readTable(path: string, options: TableFormat): Promise<DataTable> {
  return Promise.reject(new Error(`not written yet: ${path} ${options.format}`));
}
