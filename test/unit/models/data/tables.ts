import type { ModelDefinition } from '../../../../domain/definition.ts';
import type { FeatureValue } from '../../../../domain/signature.ts';
import type { DataColumn, DataTable } from '../../../../models/data/dataset.ts';
import { parseDefinitionText } from '../../../../models/definition/load.ts';

/** A table from columns of plain values; the kind is that of the first value that is there. */
export function tableOf(columns: Readonly<Record<string, readonly FeatureValue[]>>): DataTable {
  const built = Object.entries(columns).map(([name, values]): DataColumn => {
    const first = values.find((value) => value !== null);
    if (typeof first === 'number')
      return { name, kind: 'number', values: Float64Array.from(values, (v) => (v === null ? NaN : Number(v))) };
    if (typeof first === 'boolean') return { name, kind: 'boolean', values: values as (boolean | null)[] };
    return { name, kind: 'text', values: values as (string | null)[] };
  });
  return { columns: built, rows: built[0]?.values.length ?? 0 };
}

/** A definition with target `y` (`yes`), plus these lines of YAML. */
export const definitionOf = (lines = '', target = '{ column: y, positive: yes }'): ModelDefinition =>
  parseDefinitionText(`name: m\ndata: m.csv\ntarget: ${target}\n${lines}\n`, '/m/model.yaml');

/** `count` values by row number. */
export const rows = <T>(count: number, value: (row: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => value(i));

/** A target with every third row positive. */
export const labels = (count: number): string[] => rows(count, (i) => (i % 3 === 0 ? 'yes' : 'no'));
