import { DomainError } from '../../domain/errors.ts';
import type { DataSet } from '../data/dataset.ts';
import type { RawScorer } from '../onnx/raw-scorer.ts';
import type { FittedModel } from './trainer.ts';

/** Greatest allowed difference of probabilities between the model file and the trainer's own prediction. */
export const DIFFERENCE_MAX = 1e-6;
/** On larger data a spread of this many rows is compared. */
const ROWS_MAX = 20_000;

/**
 * Proves that the model file, fed with raw rows, says what the fitted model says of the encoded ones.
 * @returns the greatest difference of probabilities
 * @throws DomainError `trainingFailed` naming the row that differs most
 */
export async function proveFile(model: FittedModel, scorer: RawScorer, dataSet: DataSet): Promise<number> {
  const step = Math.max(1, Math.ceil(dataSet.rows / ROWS_MAX));
  const rows = Int32Array.from({ length: Math.ceil(dataSet.rows / step) }, (_, i) => i * step);
  const expected = model.predict(dataSet, rows);
  const actual = await scorer.score(Array.from(rows, (row) => dataSet.rawRow(row)));
  let worst = { difference: 0, position: 0 };
  for (const [position, p] of expected.entries()) {
    const difference = Math.abs(p - (actual[position] as number));
    // Written so that NaN counts as different.
    if (!(difference <= worst.difference)) worst = { difference, position };
    if (Number.isNaN(difference)) break;
  }
  if (worst.difference <= DIFFERENCE_MAX) return worst.difference;
  const { position } = worst;
  const answers = `${expected[position] as number} by the trainer, ${actual[position] as number} by the file`;
  throw new DomainError(
    'trainingFailed',
    `The model file differs from the model in row ${rows[position] as number}: ${answers}`,
  );
}
