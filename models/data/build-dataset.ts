import type { ModelDefinition } from '../../domain/definition.ts';
import type { DataSet, DataTable } from './dataset.ts';

export interface BuiltDataSet {
  readonly dataSet: DataSet;
  readonly notes: readonly string[];
}

export function buildDataSet(table: DataTable, definition: ModelDefinition): BuiltDataSet {
  throw new Error(`not written yet: ${definition.name} ${table.rows}`);
}
