import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureRow } from '../../domain/signature.ts';
import { SAMPLE_ROWS_MAX } from './limits.ts';

/** A row the importer knows something of. */
export interface SampleRow {
  readonly features: FeatureRow;
  /** What was true; 1 is the positive class. */
  readonly label?: 0 | 1;
  /** What the model said where it was made: the served one must say the same. */
  readonly probability?: number;
}

const value = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const row = z.record(z.string(), value);
const sample = z.strictObject({
  features: row,
  label: z.union([z.literal(0), z.literal(1)]).exactOptional(),
  probability: z
    .number()
    .min(-1e-5)
    .max(1 + 1e-5)
    .exactOptional(),
});

/**
 * Reads JSON lines: each a row by feature name, or `{"features": {...}, "label": 0|1, "probability": p}`.
 * @throws DomainError `invalidInput` naming the first line that is neither
 */
export function parseSampleRows(text: string): readonly SampleRow[] {
  const lines = text.split('\n').map((line) => line.trim());
  const rows = lines.flatMap((line, i) => (line === '' ? [] : [parseLine(line, i + 1)]));
  if (rows.length <= SAMPLE_ROWS_MAX) return rows;
  throw unusable('samples', `there are ${rows.length} rows, at most ${SAMPLE_ROWS_MAX} are taken`);
}

function parseLine(line: string, number: number): SampleRow {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw unusable(`samples, line ${number}`, 'is not JSON');
  }
  const full = sample.safeParse(json);
  if (full.success) return full.data;
  const plain = row.safeParse(json);
  if (plain.success) return { features: plain.data };
  throw unusable(
    `samples, line ${number}`,
    'expected a row by feature name, or {"features": {...}, "label": 0 or 1, "probability": 0..1}',
  );
}

function unusable(field: string, message: string): DomainError {
  return new DomainError('invalidInput', `The sample rows cannot be used: ${field}: ${message}`, [{ field, message }]);
}
