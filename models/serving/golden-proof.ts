import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { FeatureRow, Signature } from '../../domain/signature.ts';
import type { GoldenRow } from '../manifest.ts';
import type { RawScorer } from '../onnx/raw-scorer.ts';
import type { RunRows } from './row-batcher.ts';
import { compileRowEncoder } from './row-encoder.ts';
import type { StringTable } from './string-table.ts';

/** Absolute difference between probabilities of the same row: a few units in the last place of a float32. */
const GOLDEN_TOLERANCE = 1e-6;

export interface GoldenProof {
  /** The stored graph, fed with raw named columns; `null` where it is what `core` runs (an imported graph). */
  readonly raw: Pick<RawScorer, 'score'> | null;
  /** The derived graph, fed with rows encoded here. */
  readonly core: RunRows;
  readonly signature: Signature;
  readonly golden: readonly GoldenRow[];
  readonly strings?: StringTable;
}

/**
 * Proves on the golden rows that encoding here and running the derived graph gives what the stored graph gives, and
 * what it gave when it was written.
 * @throws DomainError `artefactCorrupt` naming the rows that differ
 */
export async function proveGolden({ raw, core, signature, golden, strings }: GoldenProof): Promise<void> {
  if (golden.length === 0)
    throw new DomainError('artefactCorrupt', 'The manifest has no golden rows to prove the model on');
  const matrix = encodeLeniently(
    signature,
    golden.map((row) => row.features),
    strings,
  );
  const coreAnswers = await core(matrix, golden.length);
  const rawAnswers = (await raw?.score(golden.map((row) => row.features))) ?? coreAnswers;
  const problems: Problem[] = [];
  for (const [i, row] of golden.entries()) {
    const answers = [row.probability, rawAnswers[i] ?? NaN, coreAnswers[i] ?? NaN] as const;
    // Written so that NaN fails too.
    if (!(Math.max(...answers) - Math.min(...answers) <= GOLDEN_TOLERANCE)) {
      const [stored, fromRaw, fromCore] = answers;
      const message = `stored ${stored}, the graph gives ${fromRaw}, the serving path ${fromCore}`;
      problems.push({ field: `golden[${i}]`, message });
    }
  }
  if (problems.length === 0) return;
  const message = `The model gives other answers than when it was written, in ${problems.length} of ${golden.length} golden rows`;
  throw new DomainError('artefactCorrupt', message, problems);
}

/**
 * Golden rows hold missing and unknown values on purpose: the policies of the signature would refuse them.
 * @throws DomainError `artefactCorrupt` naming the row that does not fit the signature all the same
 */
export function encodeLeniently(
  signature: Signature,
  rows: readonly FeatureRow[],
  strings?: StringTable,
): Float32Array {
  const lenient = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
  const features = signature.features.map((f) => ({ ...f, ...lenient }));
  const encoder = compileRowEncoder({ ...signature, features }, strings);
  const matrix = new Float32Array(rows.length * encoder.width);
  for (const [i, row] of rows.entries()) {
    const { problems } = encoder.encode(row, matrix, i * encoder.width);
    if (problems.length > 0) throw new DomainError('artefactCorrupt', `Row ${i} does not fit the signature`, problems);
  }
  return matrix;
}
