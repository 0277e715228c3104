import type { ModelDefinition } from '../../domain/definition.ts';
import type { DataReport } from '../../domain/evaluation.ts';
import type { DataTable } from './dataset.ts';

export function checkData(table: DataTable, definition: ModelDefinition): DataReport {
  throw new Error(`not written yet: ${definition.name} ${table.rows}`);
}
