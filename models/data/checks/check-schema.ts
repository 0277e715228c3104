import type { ModelDefinition } from '../../../domain/definition.ts';
import type { DataFinding } from '../../../domain/evaluation.ts';
import { findColumn } from '../cells.ts';
import type { DataTable } from '../dataset.ts';
import { missingColumn } from '../read-target.ts';
import { finding } from './finding.ts';

/** Every column the definition names must be there; the target has its own check. */
export function checkSchema(table: DataTable, definition: ModelDefinition): DataFinding[] {
  const named: [field: string, column: string][] = [
    ...(definition.entity === null ? [] : [['entity', definition.entity] satisfies [string, string]]),
    ...Object.keys(definition.features).map((column): [string, string] => [`features.${column}`, column]),
    ...definition.exclude.map((column, i): [string, string] => [`exclude[${i}]`, column]),
    ...definition.protected.map((column, i): [string, string] => [`protected[${i}]`, column]),
  ];
  return named
    .filter(([, column]) => findColumn(table, column) === undefined)
    .map(([field, column]) => {
      const { message } = missingColumn(table, field, column);
      return finding('schema', 'error', column, `${field}: ${message}`, { columns: table.columns.length });
    });
}
