import { readFile } from 'node:fs/promises';
import type { Signature } from '../../domain/signature.ts';
import type { ForeignBinding } from '../manifest.ts';
import { openForeignGraph } from '../serving/foreign-graph.ts';
import { encodeLeniently } from '../serving/golden-proof.ts';
import { createRawScorer } from './raw-scorer.ts';
import type { RawScorer } from './raw-scorer.ts';

/** Rows of one run: enough to amortise the call, small enough for memory. */
const CHUNK_ROWS = 1_000;

/** A model file with what is known of it. */
export interface ScoredFile {
  readonly onnxPath: string;
  readonly signature: Signature;
  /** Of an imported graph. */
  readonly foreign?: ForeignBinding;
}

/**
 * Scores raw rows through a model file of either make.
 * @throws DomainError `artefactCorrupt` when onnxruntime cannot load it
 */
export async function openScorer({ onnxPath, signature, foreign }: ScoredFile): Promise<RawScorer> {
  if (foreign === undefined) return createRawScorer(onnxPath, signature.features);
  const graph = await openForeignGraph(await readFile(onnxPath), signature, foreign);
  return {
    async score(rows) {
      const probabilities = new Float32Array(rows.length);
      for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
        const chunk = rows.slice(from, from + CHUNK_ROWS);
        const matrix = encodeLeniently(signature, chunk, graph.strings);
        probabilities.set(await graph.run(matrix, chunk.length), from);
      }
      return probabilities;
    },
    release: () => graph.release(),
  };
}
