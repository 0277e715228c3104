import { CATEGORY_MISSING } from '../../domain/encoding.ts';
import type { DataSet } from '../data/dataset.ts';
import { basisSize, chooseBasis, createBasisEvaluator, quantile } from './spline-basis.ts';
import type { SplineBasis } from './spline-basis.ts';

/** One group of columns of the design; `feature` is the column of the encoded matrix, `offset` its first own column. */
export type Term =
  | {
      readonly kind: 'spline';
      readonly feature: number;
      readonly offset: number;
      readonly basis: SplineBasis;
      /** Stands in for a missing value. */
      readonly median: number;
    }
  /** One column per category, in order; an unknown category is zero in all. */
  | { readonly kind: 'categories'; readonly feature: number; readonly offset: number; readonly count: number }
  /** 1 where the value is missing; only there when training saw that. */
  | { readonly kind: 'missing'; readonly feature: number; readonly offset: number; readonly category: boolean };

export interface DesignLayout {
  readonly terms: readonly Term[];
  readonly columns: number;
}

/** A fitted curve: log odds of a row are `intercept` plus the sum of `weights` times its design. */
export interface SplineModel {
  readonly layout: DesignLayout;
  readonly weights: Float64Array;
  readonly intercept: number;
  /** Means of the design's columns over the training rows. */
  readonly means: Float64Array;
}

/** Sparse rows of equal length: entry `e` of row `r` is at `r * stride + e`; unused entries have the value 0. */
export interface Design {
  readonly rows: number;
  readonly columns: number;
  readonly stride: number;
  readonly indices: Int32Array;
  readonly values: Float64Array;
}

/** Learns the layout (knots, medians, which features are ever missing) from the given rows alone. */
export function learnLayout(dataSet: DataSet, rows: Int32Array, knotCount: number): DesignLayout {
  const terms: Term[] = [];
  let offset = 0;
  for (const [feature, spec] of dataSet.features.entries()) {
    const values = columnOf(dataSet, rows, feature);
    const category = spec.type === 'category';
    const missing = category ? values.includes(CATEGORY_MISSING) : values.some(Number.isNaN);
    const basis = category ? null : chooseBasis(values, knotCount);
    if (category && spec.categories !== undefined && spec.categories.length > 0) {
      terms.push({ kind: 'categories', feature, offset, count: spec.categories.length });
      offset += spec.categories.length;
    }
    if (basis !== null) {
      const present = values.filter((v) => !Number.isNaN(v)).sort();
      terms.push({ kind: 'spline', feature, offset, basis, median: quantile(present, 0.5) });
      offset += basisSize(basis);
    }
    if (missing) {
      terms.push({ kind: 'missing', feature, offset, category });
      offset += 1;
    }
  }
  return { terms, columns: offset };
}

/** Lays out the given rows as `layout` says. */
export function buildDesign(layout: DesignLayout, dataSet: DataSet, rows: Int32Array): Design {
  const stride = layout.terms.reduce((sum, t) => sum + (t.kind === 'spline' ? t.basis.degree + 1 : 1), 0);
  const indices = new Int32Array(rows.length * stride);
  const values = new Float64Array(rows.length * stride);
  const width = dataSet.features.length;
  let entry = 0;
  for (const term of layout.terms) {
    const write = termWriter(term, indices, values);
    for (const [r, row] of rows.entries()) {
      write(dataSet.matrix[row * width + term.feature] as number, r * stride + entry);
    }
    entry += term.kind === 'spline' ? term.basis.degree + 1 : 1;
  }
  return { rows: rows.length, columns: layout.columns, stride, indices, values };
}

/** Mean of each column over the rows. */
export function columnMeans({ rows, columns, indices, values }: Design): Float64Array {
  const sums = new Float64Array(columns);
  for (const [entry, column] of indices.entries()) sums[column] = (sums[column] ?? 0) + (values[entry] ?? 0);
  return sums.map((sum) => sum / rows);
}

function termWriter(term: Term, indices: Int32Array, values: Float64Array): (x: number, at: number) => void {
  switch (term.kind) {
    case 'spline': {
      const evaluate = createBasisEvaluator(term.basis);
      const size = term.basis.degree + 1;
      const out = new Float64Array(size);
      return (x, at) => {
        const first = evaluate(Number.isNaN(x) ? term.median : x, out);
        for (let i = 0; i < size; i += 1) {
          indices[at + i] = term.offset + first + i;
          values[at + i] = out[i] as number;
        }
      };
    }
    case 'categories':
      return (code, at) => {
        if (code < 0 || code >= term.count) return;
        indices[at] = term.offset + code;
        values[at] = 1;
      };
    case 'missing':
      return (x, at) => {
        indices[at] = term.offset;
        values[at] = (term.category ? x === CATEGORY_MISSING : Number.isNaN(x)) ? 1 : 0;
      };
  }
}

function columnOf(dataSet: DataSet, rows: Int32Array, feature: number): Float64Array {
  const width = dataSet.features.length;
  return Float64Array.from(rows, (row) => dataSet.matrix[row * width + feature] as number);
}
