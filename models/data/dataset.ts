import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';

/** A data file in memory, as read: one array per column. */
export type DataColumn =
  | { readonly name: string; readonly kind: 'number'; readonly values: Float64Array }
  | { readonly name: string; readonly kind: 'text'; readonly values: readonly (string | null)[] }
  | { readonly name: string; readonly kind: 'boolean'; readonly values: readonly (boolean | null)[] };

export interface DataTable {
  readonly columns: readonly DataColumn[];
  readonly rows: number;
}

/** Rows encoded as `domain/encoding.ts` says; what trainers learn from. */
export interface DataSet {
  readonly features: readonly FeatureSpec[];
  readonly rows: number;
  /** Row-major `[rows, features.length]`. */
  readonly matrix: Float32Array;
  /** 1 = positive class. */
  readonly labels: Uint8Array;
  /** 1 = held out: chosen by a hash of the entity (or of the row), so a row stays on its side in every later snapshot. */
  readonly heldOut: Uint8Array;
  readonly negative: string;
  readonly rawRow: (row: number) => Readonly<Record<string, FeatureValue>>;
}
