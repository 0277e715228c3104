/** What a model takes and gives: the contract between training, the artefact and the serving path. */

export const FEATURE_TYPES = ['number', 'integer', 'category', 'boolean'] as const;
export type FeatureType = (typeof FEATURE_TYPES)[number];

/**
 * What happens to a value the model has not seen in training: `reject` answers an error that names what is
 * allowed, `flag` predicts and says so in the answer's `warnings`. Nothing is ever replaced silently.
 */
export const VALUE_POLICIES = ['reject', 'flag'] as const;
export type ValuePolicy = (typeof VALUE_POLICIES)[number];

/** How a value fills the encoded matrix, see `encoding.ts`. Only imported graphs say it. */
export const FEATURE_ENCODINGS = ['oneHot', 'code', 'raw'] as const;
export type FeatureEncoding = (typeof FEATURE_ENCODINGS)[number];

export interface FeatureSpec {
  readonly name: string;
  readonly type: FeatureType;
  /**
   * Category: every value seen in training, sorted. Absent where nobody knows them (an imported graph that takes any
   * string). Other types: absent.
   */
  readonly categories?: readonly string[];
  /** Absent: `code` for a category, `raw` for everything else. */
  readonly encoding?: FeatureEncoding;
  /** First column in the encoded matrix. Absent: right behind the feature before. */
  readonly column?: number;
  /** Number and integer: the allowed range, inclusive. Inferred with a margin from the data, or set by the definition. */
  readonly min?: number;
  readonly max?: number;
  /** Null, absent or blank value. */
  readonly missing: ValuePolicy;
  /** Category not in `categories`. */
  readonly unknown: ValuePolicy;
  /** Number outside `min`..`max`. */
  readonly outOfRange: ValuePolicy;
}

export interface Signature {
  /** Order matters: it is the order of the columns of the encoded float matrix. */
  readonly features: readonly FeatureSpec[];
  readonly entity: string | null;
  readonly target: { readonly column: string; readonly positive: string; readonly negative: string };
  /** Probability at or above which the label is the positive class. Chosen on out-of-fold predictions. */
  readonly threshold: number;
  /** Lower bounds (inclusive) of the medium and high risk categories. */
  readonly risk: { readonly medium: number; readonly high: number };
}

/** A value of one feature as a client sends it or a data file holds it; `null` is missing. */
export type FeatureValue = string | number | boolean | null;
/** One row by feature name. */
export type FeatureRow = Readonly<Record<string, FeatureValue | undefined>>;
