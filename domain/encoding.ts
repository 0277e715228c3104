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
