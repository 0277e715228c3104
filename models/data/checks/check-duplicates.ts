import type { ModelDefinition } from '../../../domain/definition.ts';
import type { DataFinding } from '../../../domain/evaluation.ts';
import { countMissing, findColumn } from '../cells.ts';
import type { DataColumn, DataTable } from '../dataset.ts';
import { grouped } from '../limits.ts';
import { finding, percent } from './finding.ts';

const DUPLICATE_SHARE_WARNING = 0.01;

/** Rows that occur twice, and entities that do. Copies never end up on both sides of the held-out split. */
export function checkDuplicates(table: DataTable, definition: ModelDefinition): DataFinding[] {
  const findings: DataFinding[] = [];
  const rows = countRepeats(hashRows(table.columns, table.rows));
  if (rows > 0) {
    const share = rows / table.rows;
    const severity = share >= DUPLICATE_SHARE_WARNING ? 'warning' : 'info';
    const message = `${grouped(rows)} rows repeat an earlier one in every column (${percent(share)})`;
    findings.push(finding('duplicates', severity, null, message, { repeats: rows, share }));
  }
  const entity = definition.entity === null ? undefined : findColumn(table, definition.entity);
  return entity === undefined ? findings : [...findings, ...checkEntities(entity, table)];
}

function checkEntities(entity: DataColumn, table: DataTable): DataFinding[] {
  const findings: DataFinding[] = [];
  const others = table.columns.filter((column) => column !== entity);
  const missing = countMissing(entity);
  // Rows without an id are told apart by what the missing check says; here they would all count as one entity.
  const repeats = countRepeats(hashRows([entity], table.rows)) - Math.max(0, missing - 1);
  const alike = countRepeats(hashRows(others, table.rows));
  if (missing > 0) {
    const message = `${grouped(missing)} rows have no entity id; they are held out by their content`;
    findings.push(finding('missing', 'warning', entity.name, message, { missing }));
  }
  if (repeats > 0) {
    const message = `${grouped(repeats)} rows repeat the entity of an earlier one; all rows of an entity stay on one side`;
    findings.push(finding('duplicates', 'info', entity.name, message, { repeats }));
  }
  if (alike > 0) {
    const message = `${grouped(alike)} rows equal an earlier one in everything but the entity`;
    findings.push(finding('duplicates', 'info', null, message, { repeats: alike }));
  }
  return findings;
}

/** 53 bits a row: 5 million rows collide by chance with a probability of about 0.0014. */
function hashRows(columns: readonly DataColumn[], rows: number): Float64Array {
  const high = new Uint32Array(rows);
  const low = new Uint32Array(rows).fill(0x9e3779b9);
  const mix = (row: number, bits: number) => {
    high[row] = Math.imul((high[row] ?? 0) ^ bits, 0x85ebca6b) ^ ((high[row] ?? 0) >>> 13);
    low[row] = Math.imul((low[row] ?? 0) ^ bits, 0xc2b2ae35) ^ ((low[row] ?? 0) >>> 16);
  };
  const number = new Float64Array(1);
  const numberBits = new Uint32Array(number.buffer);
  for (const column of columns) {
    for (let row = 0; row < rows; row += 1) {
      const value = column.values[row] ?? null;
      if (typeof value === 'number') {
        number[0] = value;
        mix(row, numberBits[0] ?? 0);
        mix(row, numberBits[1] ?? 0);
      } else if (typeof value === 'string') {
        for (let i = 0; i < value.length; i += 1) mix(row, value.charCodeAt(i));
        mix(row, 0x110000 + value.length);
      } else {
        mix(row, value === null ? 0x7fffffff : Number(value));
      }
    }
  }
  return Float64Array.from(high, (bits, row) => bits * 2 ** 21 + ((low[row] ?? 0) >>> 11));
}

function countRepeats(hashes: Float64Array): number {
  const sorted = hashes.sort();
  let repeats = 0;
  for (let i = 1; i < sorted.length; i += 1) if (sorted[i] === sorted[i - 1]) repeats += 1;
  return repeats;
}
