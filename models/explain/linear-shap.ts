import type { AdditiveModel } from './additive.ts';

/** Exact Shapley values of a model that adds up over its features. */
export interface LinearShap {
  /** Mean log odds over the training rows. */
  readonly base: number;
  /** Writes the values of a row to `out`, one entry per column. */
  explain(encoded: Float32Array, out: Float64Array): void;
}

/**
 * The interventional value function with independent features: for a linear model the Shapley value of a column is
 * `w (z - mean)` (Lundberg and Lee, arXiv:1705.07874, Corollary 1). A feature's value is the sum over its columns, which
 * is what it adds, less the mean of that over the training rows.
 * @param means by feature, of what it adds
 */
export function createLinearShap({ start, additions }: AdditiveModel, means: readonly number[]): LinearShap {
  if (means.length !== additions.length) throw new RangeError('the means are not those of these features');
  return {
    base: means.reduce((sum, mean) => sum + mean, start),
    explain(encoded, out) {
      for (const [feature, add] of additions.entries()) {
        out[feature] = add(encoded[feature] as number) - (means[feature] as number);
      }
    },
  };
}
