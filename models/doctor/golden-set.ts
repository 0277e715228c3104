import type { FeatureRow, FeatureValue, Signature } from '../../domain/signature.ts';
import type { GoldenRow } from '../manifest.ts';
import type { ForeignGraph } from '../serving/foreign-graph.ts';
import { error, Unusable } from './finding.ts';
import type { Finding } from './finding.ts';
import { GOLDEN_ROWS_MAX } from './limits.ts';
import type { SampleRow } from './sample-row.ts';
import { oddRows, syntheticRows } from './synthetic-rows.ts';

/** With the two odd ones this stays below the manifest's 32. */
const SYNTHETIC_ROWS = 24;
const ODD_ROWS_MAX = 2;
/** Rows of one run. */
const CHUNK_ROWS = 1_000;
/** Between the graph here and where it was made, other versions of onnxruntime add up in another order. */
const SAMPLE_TOLERANCE = 1e-5;
const SAMPLES_NAMED_MAX = 5;

/** Rows to prove the model with at each load: from the samples, else made up within the signature's ranges. */
export function goldenSet(signature: Signature, samples: readonly SampleRow[]): readonly GoldenRow['features'][] {
  const own = samples.slice(0, GOLDEN_ROWS_MAX - ODD_ROWS_MAX).map((sample) => definite(sample.features));
  const rows = own.length > 0 ? own : syntheticRows(signature.features, SYNTHETIC_ROWS);
  return [...rows, ...oddRows(signature.features, rows[0] ?? {})];
}

function definite(row: FeatureRow): Readonly<Record<string, FeatureValue>> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value ?? null]));
}

/**
 * Scores rows as serving does: with every check of the signature.
 * @throws Unusable naming rows that the signature refuses
 */
export async function scoreRows(graph: ForeignGraph, rows: readonly FeatureRow[]): Promise<Float32Array> {
  const { encoder, run } = graph;
  const probabilities = new Float32Array(rows.length);
  for (let from = 0; from < rows.length; from += CHUNK_ROWS) {
    const chunk = rows.slice(from, from + CHUNK_ROWS);
    const matrix = new Float32Array(chunk.length * encoder.width);
    const refused = chunk.flatMap((row, i) => {
      const { problems } = encoder.encode(row, matrix, i * encoder.width);
      return problems.slice(0, 1).map((p) => `row ${from + i + 1}: ${p.field} ${p.message}`);
    });
    if (refused.length > 0) {
      const message = `The signature refuses ${refused.length} of the sample rows: ${refused.slice(0, SAMPLES_NAMED_MAX).join('; ')}`;
      throw new Unusable([error('samples', message, 'give features, types and ranges in the signature file')]);
    }
    probabilities.set(await run(matrix, chunk.length), from);
  }
  return probabilities;
}

/** Where the samples tell what the model said elsewhere, the served one must say the same. */
export function compareSamples(samples: readonly SampleRow[], probabilities: Float32Array): Finding | null {
  const known = samples.flatMap(({ probability }, i) => (probability === undefined ? [] : [{ probability, i }]));
  const off = known.filter(
    ({ probability, i }) => !(Math.abs(probability - (probabilities[i] as number)) <= SAMPLE_TOLERANCE),
  );
  const [worst] = off;
  if (worst === undefined) return null;
  const message =
    `${off.length} of ${known.length} sample rows are answered differently here: row ${worst.i + 1} says ` +
    `${worst.probability}, the graph ${probabilities[worst.i] as number}`;
  return error(
    'samples',
    message,
    'compare the order of the columns and the encoding of categories in the signature file',
  );
}
