/** The list that a logical set has of itself: what its files are, and what else makes the database whole. */
import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';

export const LOGICAL_PREFIX = 'logical/';
export const LOGICAL_INDEX = `${LOGICAL_PREFIX}index.json`;
export const LOGICAL_INDEX_BYTES_MAX = 4 * 1024 * 1024;

const name = z.string().regex(/^[A-Za-z_][\w]{0,62}$/);
const indexSchema = z.strictObject({
  /** As in the manifest: newest migration that the database had. */
  schemaVersion: z.string(),
  /** ISO 8601: the moment that the set brings back. */
  snapshotAt: z.string(),
  /** In the order in which they were copied. All in the schema `public`. */
  tables: z.array(
    z.strictObject({
      table: name,
      columns: z.array(name).min(1),
      rows: z.number().int().nonnegative(),
      /** Name of the set's file: text form of COPY. */
      file: z.string(),
    }),
  ),
  /** Where each sequence goes on: the last number it gave. */
  sequences: z.array(z.strictObject({ sequence: name, last: z.string().regex(/^-?\d{1,19}$/) })),
  /** UTC days (epoch ms) between which predictions have partitions of their own; `null`: none has. */
  predictionDays: z.strictObject({ firstMs: z.number().int(), lastMs: z.number().int() }).nullable(),
});

export type LogicalIndex = z.infer<typeof indexSchema>;

/** @throws DomainError `artefactCorrupt` when it is no such list */
export function readLogicalIndex(bytes: Uint8Array): LogicalIndex {
  let raw: unknown = null;
  try {
    raw = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    // Said below.
  }
  const parsed = indexSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const field = parsed.error.issues[0]?.path.join('.') ?? '';
  throw new DomainError('artefactCorrupt', `${LOGICAL_INDEX}, the list of the tables, is damaged`, [
    { field: field === '' ? LOGICAL_INDEX : field, message: 'is not what such a list has' },
  ]);
}
