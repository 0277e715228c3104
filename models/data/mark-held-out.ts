import { createHash } from 'node:crypto';
import type { ModelDefinition } from '../../domain/definition.ts';
import { cellText, findColumn } from './cells.ts';
import type { DataTable } from './dataset.ts';

/** Changing this moves every row to another side: versions before and after could no longer be compared. */
const SALT = 'sluice-held-out-1:';

/**
 * Which rows no training step sees: 1 = held out. A row is on a side by the SHA-256 of its entity id, or of its
 * content without the target when it has none; not by its place, the seed or the other rows. So it stays on its side
 * in every later snapshot, all rows of one entity are on one side, and so are copies of a row.
 */
export function markHeldOut(table: DataTable, definition: ModelDefinition): Uint8Array {
  const entity = definition.entity === null ? undefined : findColumn(table, definition.entity);
  const content = table.columns
    .filter((column) => column.name !== definition.target.column)
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const heldOut = new Uint8Array(table.rows);
  for (let row = 0; row < table.rows; row += 1) {
    const id = entity === undefined ? null : cellText(entity, row);
    const key = id ?? JSON.stringify(content.map((column) => [column.name, cellText(column, row)]));
    heldOut[row] = Number(sharePosition(key) * 100 < definition.training.holdoutPercent);
  }
  return heldOut;
}

/** A number in [0, 1), evenly spread over keys: the first 32 bits of the hash. */
function sharePosition(key: string): number {
  return createHash('sha256').update(SALT).update(key).digest().readUInt32BE(0) / 2 ** 32;
}
