import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import type { GoldenRow } from '../manifest.ts';
import type { RawScorer } from '../onnx/raw-scorer.ts';
import type { RunRows } from './row-batcher.ts';
import { compileRowEncoder } from './row-encoder.ts';

/** Absolute difference between probabilities of the same row: a few units in the last place of a float32. */
export const GOLDEN_TOLERANCE = 1e-6;

export interface GoldenProof {
  /** The stored graph, fed with raw named columns. */
  readonly raw: Pick<RawScorer, 'score'>;
  /** The derived graph, fed with rows encoded here. */
  readonly core: RunRows;
  readonly signature: Signature;
  readonly golden: readonly GoldenRow[];
}

/**
 * Proves on the golden rows that encoding here and running the derived graph gives what the stored graph gives, and
 * what it gave when it was written.
 * @throws DomainError `artefactCorrupt` naming the rows that differ
 */
export async function proveGolden({ raw, core, signature, golden }: GoldenProof): Promise<void> {
  if (golden.length === 0)
    throw new DomainError('artefactCorrupt', 'The manifest has no golden rows to prove the model on');
  const matrix = encodeGolden(signature, golden);
  const rawAnswers = await raw.score(golden.map((row) => row.features));
  const coreAnswers = await core(matrix, golden.length);
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

function encodeGolden(signature: Signature, golden: readonly GoldenRow[]): Float32Array {
  // Golden rows hold missing and unknown values on purpose: the policies of the signature would refuse them.
  const lenient = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
  const encoder = compileRowEncoder({ ...signature, features: signature.features.map((f) => ({ ...f, ...lenient })) });
  const matrix = new Float32Array(golden.length * encoder.width);
  for (const [i, row] of golden.entries()) {
    const { problems } = encoder.encode(row.features, matrix, i * encoder.width);
    if (problems.length > 0) {
      throw new DomainError('artefactCorrupt', `Golden row ${i} does not fit the signature`, problems);
    }
  }
  return matrix;
}
