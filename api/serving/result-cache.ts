import { LRUCache } from 'lru-cache';
import type { CachePolicy } from '../../domain/serving-policy.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import { asProbability } from './conclude.ts';

/** How exact the age of an entry is. */
const AGE_RESOLUTION_MS = 50;

/** Probabilities of rows that a version has answered, by their encoded features. */
export interface ResultCache {
  get(key: string): number | undefined;
  set(key: string, probability: number): void;
}

/** Called with what each look-up found. */
export type OnLookup = (outcome: 'hit' | 'miss') => void;

/** A cache for each loaded version whose model asks for one: it goes when the version does, so none outlives its answers. */
export class ResultCaches {
  readonly #caches = new WeakMap<LoadedModel, { readonly policy: CachePolicy; readonly cache: ResultCache }>();

  /** `null`: what this version answers is not kept. */
  of(model: LoadedModel, policy: CachePolicy | null): ResultCache | null {
    if (policy === null || !isCacheable(model)) return null;
    const known = this.#caches.get(model);
    if (known?.policy.ttlMs === policy.ttlMs && known.policy.maxEntries === policy.maxEntries) return known.cache;
    const ttlResolution = Math.min(AGE_RESOLUTION_MS, policy.ttlMs);
    const { maxEntries: max, ttlMs: ttl } = policy;
    const perf = { now: () => performance.now() };
    const cache = new LRUCache<string, number>({ max, ttl, ttlResolution, perf });
    this.#caches.set(model, { policy, cache });
    return cache;
  }
}

/** Texts stand in the encoded row by their number in a table, which other texts get later. */
function isCacheable({ signature }: LoadedModel): boolean {
  return signature.features.every(({ encoding }) => encoding !== 'raw');
}

/**
 * Scores rows, those known without the model.
 * @param matrix row-major `[count, width]`, as `run` takes it; read before this returns
 */
export async function scoreCached(
  cache: ResultCache,
  matrix: Float32Array,
  count: number,
  width: number,
  run: (matrix: Float32Array, count: number) => Promise<ArrayLike<number>>,
  onLookup: OnLookup,
): Promise<ArrayLike<number>> {
  const keys = Array.from({ length: count }, (_, row) => keyOf(matrix, row * width, width));
  const answers = keys.map((key) => cache.get(key));
  const misses = answers.flatMap((answer, row) => (answer === undefined ? [row] : []));
  for (const answer of answers) onLookup(answer === undefined ? 'miss' : 'hit');
  if (misses.length === 0) return answers as number[];
  const asked = new Float32Array(misses.length * width);
  misses.forEach((row, i) => asked.set(matrix.subarray(row * width, (row + 1) * width), i * width));
  const scored = await run(asked, misses.length);
  misses.forEach((row, i) => {
    const value = scored[i] ?? NaN;
    answers[row] = value;
    if (asProbability(value) !== null) cache.set(keys[row] as string, value);
  });
  return answers as number[];
}

/** The bytes of the row, which the encoder makes the same for the same values. */
function keyOf(matrix: Float32Array, from: number, width: number): string {
  const bytes = Float32Array.BYTES_PER_ELEMENT;
  return Buffer.from(matrix.buffer, matrix.byteOffset + from * bytes, width * bytes).toString('latin1');
}
