import type { FeatureSpec } from './signature.ts';

/**
 * How a raw value becomes a float, everywhere the same: in the ONNX graph, in training and on the serving path.
 * Numbers stay as they are (missing: NaN), booleans are 0 / 1 (missing: NaN), a category is its index in
 * `FeatureSpec.categories`.
 */
export const CATEGORY_UNKNOWN = -1;
export const CATEGORY_MISSING = -2;

/** The graph's matrix `[N, features]` behind the encoders: everything after it works on floats alone. */
export const ENCODED_TENSOR = 'features';
/** The graph's one output, `[N, 1]`: probability of the positive class. */
export const OUTPUT_TENSOR = 'probability';

/**
 * Where each feature lies in the encoded matrix. A category that is `oneHot` takes one column per category, in their
 * order (missing and unknown: all zero); everything else takes one.
 */
export function encodedLayout(features: readonly FeatureSpec[]): {
  /** First column by feature. */
  readonly columns: readonly number[];
  readonly width: number;
} {
  const columns: number[] = [];
  let next = 0;
  let width = 0;
  for (const feature of features) {
    const column = feature.column ?? next;
    columns.push(column);
    next = column + encodedWidth(feature);
    width = Math.max(width, next);
  }
  return { columns, width };
}

/** Columns a feature takes. */
export function encodedWidth({ encoding, categories = [] }: FeatureSpec): number {
  return encoding === 'oneHot' ? categories.length : 1;
}
