import { InferenceSession, Tensor } from 'onnxruntime-node';
import { OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureRow, FeatureSpec } from '../../domain/signature.ts';

/** Rows of one run: enough to amortise the call, small enough for memory. */
const CHUNK_ROWS = 2_000;

/** Scores raw rows through the published file, as any other consumer of it would. */
export interface RawScorer {
  /** Probability per row. What is missing or of another type counts as missing. */
  score(rows: readonly FeatureRow[]): Promise<Float32Array>;
  release(): Promise<void>;
}

/**
 * @param model path or bytes of `model.onnx`
 * @throws DomainError `artefactCorrupt` when onnxruntime cannot load it
 */
export async function createRawScorer(
  model: string | Uint8Array,
  features: readonly FeatureSpec[],
): Promise<RawScorer> {
  const session = await load(model);
  return {
    async score(rows) {
      const probabilities = new Float32Array(rows.length);
      for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
        const chunk = rows.slice(from, from + CHUNK_ROWS);
        const answer = await session.run(rawTensors(features, chunk));
        probabilities.set(answer[OUTPUT_TENSOR]?.data as Float32Array, from);
      }
      return probabilities;
    },
    release: () => session.release(),
  };
}

async function load(model: string | Uint8Array): Promise<InferenceSession> {
  // One thread: in step with serving, and the measured speed does not depend on idle cores.
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
  try {
    return typeof model === 'string'
      ? await InferenceSession.create(model, options)
      : await InferenceSession.create(model, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DomainError('artefactCorrupt', `The model file cannot be loaded: ${reason}`);
  }
}

/** One tensor `[N, 1]` per feature. */
function rawTensors(features: readonly FeatureSpec[], rows: readonly FeatureRow[]): Record<string, Tensor> {
  const dims = [rows.length, 1];
  return Object.fromEntries(
    features.map((f): [string, Tensor] => {
      const values = rows.map((row) => row[f.name] ?? null);
      if (f.type === 'category') {
        const texts = values.map((v) => (v === null ? '' : String(v)));
        return [f.name, new Tensor('string', texts, dims)];
      }
      const numbers = values.map((v) => (v === null || v === '' ? NaN : Number(v)));
      return [f.name, new Tensor('float32', Float32Array.from(numbers), dims)];
    }),
  );
}
