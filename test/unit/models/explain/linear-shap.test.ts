import { readFileSync } from 'node:fs';
import proto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { readAdditive } from '../../../../models/explain/additive.ts';
import { BACKGROUND_KEY, readBackground } from '../../../../models/explain/background.ts';
import { createLinearShap } from '../../../../models/explain/linear-shap.ts';
import { writeSplineOnnx } from '../../../../models/onnx/spline-graph.ts';
import { buildDesign, columnMeans, learnLayout } from '../../../../models/training/design.ts';
import type { SplineModel } from '../../../../models/training/design.ts';
import { allRows, dataSetOf, oddRows, syntheticFeatures, syntheticRows } from '../training/synthetic-data-set.ts';

const train = syntheticRows(600, 17);
const dataSet = dataSetOf(syntheticFeatures, train.rows, train.labels);
const layout = learnLayout(dataSet, allRows(dataSet), 8);
const design = buildDesign(layout, dataSet, allRows(dataSet));
/** Any weights will do. */
const weights = Float64Array.from({ length: layout.columns }, (_, i) => Math.sin(7 * i + 1));
const model: SplineModel = { layout, weights, intercept: 0.3, means: columnMeans(design) };

/** As it is served: through the model file and back. */
function shapOf(spline: SplineModel) {
  const file = proto.onnx.ModelProto.decode(writeSplineOnnx(syntheticFeatures, spline));
  const background = readBackground(file.metadataProps.find((p) => p.key === BACKGROUND_KEY)?.value ?? '');
  if (background?.kind !== 'additive') throw new Error('no means in the file');
  return createLinearShap(readAdditive(file.graph!.initializer!, syntheticFeatures.length), background.means);
}

/** The definition, column by column of the design: sum of `w (z - mean)` over the columns of each feature. */
function byColumns(data: ReturnType<typeof dataSetOf>): number[][] {
  const { indices, values, stride, rows } = buildDesign(layout, data, allRows(data));
  const featureOf = new Map<number, number>();
  for (const [t, term] of layout.terms.entries()) {
    const end = layout.terms[t + 1]?.offset ?? layout.columns;
    for (let column = term.offset; column < end; column += 1) featureOf.set(column, term.feature);
  }
  return Array.from({ length: rows }, (_, row) => {
    const z = new Float64Array(layout.columns);
    for (let e = row * stride; e < (row + 1) * stride; e += 1) z[indices[e]!] = z[indices[e]!]! + values[e]!;
    const sums = syntheticFeatures.map(() => 0);
    for (const [column, weight] of weights.entries()) {
      const feature = featureOf.get(column)!;
      sums[feature] = sums[feature]! + weight * (z[column]! - model.means[column]!);
    }
    return sums;
  });
}

describe('createLinearShap', () => {
  const shap = shapOf(model);
  const explain = (data: typeof dataSet, row: number) => {
    const out = new Float64Array(syntheticFeatures.length);
    shap.explain(data.matrix.slice(row * out.length, (row + 1) * out.length), out);
    return out;
  };

  it.each([
    ['training rows', dataSet],
    ['missing, unknown and far out values', dataSetOf(syntheticFeatures, oddRows(), new Uint8Array(oddRows().length))],
  ])('sums w (z - mean) over the columns of each feature: %s', (_, data) => {
    for (const [row, expected] of byColumns(data).entries()) {
      const values = explain(data, row);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 9);
    }
  });

  it('has values of mean 0 over the training rows, and the mean log odds as base', () => {
    const sums = new Float64Array(syntheticFeatures.length);
    for (let row = 0; row < dataSet.rows; row += 1) {
      for (const [i, value] of explain(dataSet, row).entries()) sums[i] = sums[i]! + value;
    }
    for (const sum of sums) expect(sum / dataSet.rows).toBeCloseTo(0, 9);
    const mean = weights.reduce((sum, w, i) => sum + w * model.means[i]!, model.intercept);
    expect(shap.base).toBeCloseTo(mean, 9);
  });

  it('says what the shap package says of a plain linear model', () => {
    const url = new URL('../../../reference/shap-values.json', import.meta.url);
    const { rows, linear } = JSON.parse(readFileSync(url, 'utf8')) as Reference;
    const additions = linear.weights.map((w) => (value: number) => w * value);
    const plain = createLinearShap(
      { start: linear.intercept, additions },
      linear.weights.map((w, i) => w * linear.means[i]!),
    );
    expect(plain.base).toBeCloseTo(linear.base, 6);
    for (const [r, row] of rows.entries()) {
      const out = new Float64Array(row.length);
      plain.explain(Float32Array.from(row), out);
      for (const [i, value] of out.entries()) expect(value).toBeCloseTo(linear.values[r]![i]!, 6);
    }
  });
});

interface Reference {
  readonly rows: readonly (readonly number[])[];
  readonly linear: {
    readonly weights: readonly number[];
    readonly intercept: number;
    readonly means: readonly number[];
    readonly base: number;
    readonly values: readonly (readonly number[])[];
  };
}
