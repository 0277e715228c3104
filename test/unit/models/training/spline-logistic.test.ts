import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { buildDesign, learnLayout } from '../../../../models/training/design.ts';
import { stratifiedFolds } from '../../../../models/training/folds.ts';
import { fitLogistic, predictLogistic } from '../../../../models/training/logistic-solver.ts';
import { basisSize, chooseBasis, createBasisEvaluator } from '../../../../models/training/spline-basis.ts';
import { createSplineLogistic } from '../../../../models/training/spline-logistic.ts';
import { allRows, dataSetOf, syntheticFeatures, syntheticRows } from './synthetic-data-set.ts';

interface Reference {
  x: number[];
  labels: number[];
  knots: number[];
  wanted: number[];
  basis: number[][];
  fits: { l2: number; weights: number[]; intercept: number; probabilities: number[] }[];
}
const path = new URL('../../../reference/splines.json', import.meta.url);
const reference = JSON.parse(readFileSync(path, 'utf8')) as Reference;

describe('the spline basis', () => {
  it('puts knots and values where SciPy and scikit-learn put them, outside the knots too', () => {
    const basis = chooseBasis(Float64Array.from(reference.x), 6)!;
    expect(basis.degree).toBe(3);
    for (const [i, knot] of reference.knots.entries()) expect(basis.knots[i]).toBeCloseTo(knot, 10);
    const evaluate = createBasisEvaluator(basis);
    const out = new Float64Array(4);
    for (const [i, x] of reference.wanted.entries()) {
      const row = new Array<number>(basisSize(basis)).fill(0);
      const first = evaluate(x, out);
      for (const [k, value] of out.entries()) row[first + k] = value;
      for (const [j, expected] of reference.basis[i]!.entries()) expect(row[j]).toBeCloseTo(expected, 10);
    }
  });

  it('gives each value of a count its own knot, nothing to a constant, and copes with heavy ties', () => {
    expect(chooseBasis(Float64Array.of(3, 1, 1, NaN, 2), 12)).toEqual({ degree: 1, knots: [1, 2, 3] });
    expect(chooseBasis(Float64Array.of(4, 4, NaN), 12)).toBeNull();
    const mostlyZero = Float64Array.from({ length: 1000 }, (_, i) => Math.max(0, i - 950));
    expect(chooseBasis(mostlyZero, 8)!.knots).toHaveLength(8);
  });
});

describe('the logistic fit', () => {
  const features = [{ name: 'x', type: 'number', missing: 'flag', unknown: 'flag', outOfRange: 'flag' }] as const;
  // Doubles, as the reference has them; data sets hold float32.
  const exact = { ...dataSetOf(features, [], reference.labels), rows: reference.x.length };
  const dataSet = { ...exact, matrix: Float64Array.from(reference.x) as unknown as Float32Array };

  it.each(reference.fits)('agrees with scikit-learn at l2 = $l2', ({ l2, weights, intercept, probabilities }) => {
    const design = buildDesign(learnLayout(dataSet, allRows(dataSet), 6), dataSet, allRows(dataSet));
    const fitted = fitLogistic(design, dataSet.labels, l2);
    for (const [j, weight] of weights.entries()) expect(fitted.weights[j]).toBeCloseTo(weight, 6);
    expect(fitted.intercept).toBeCloseTo(intercept, 6);
    const own = predictLogistic(design, fitted);
    for (const [row, p] of probabilities.entries()) expect(own[row]).toBeCloseTo(p, 7);
  });

  it('solves many columns without the Hessian as well as few with it', () => {
    const { rows, labels } = syntheticRows(400, 1);
    const data = dataSetOf(syntheticFeatures, rows, labels);
    const narrow = buildDesign(learnLayout(data, allRows(data), 8), data, allRows(data));
    const wide = { ...narrow, columns: 700 };
    const byCholesky = fitLogistic(narrow, data.labels, 0.5);
    const byConjugateGradient = fitLogistic(wide, data.labels, 0.5);
    for (const [j, weight] of byCholesky.weights.entries()) {
      expect(byConjugateGradient.weights[j]).toBeCloseTo(weight, 5);
    }
  });

  it('stays finite on classes that one feature separates', () => {
    const rows = Array.from({ length: 40 }, (_, i) => ({ x: i }));
    const data = dataSetOf(
      features,
      rows,
      rows.map(({ x }) => (x < 20 ? 0 : 1)),
    );
    const design = buildDesign(learnLayout(data, allRows(data), 5), data, allRows(data));
    const p = predictLogistic(design, fitLogistic(design, data.labels, 1e-6));
    expect(p[0]).toBeLessThan(0.01);
    expect(p[39]).toBeGreaterThan(0.99);
  });
});

describe('createSplineLogistic', () => {
  const { rows, labels } = syntheticRows(1200, 5);
  const dataSet = dataSetOf(syntheticFeatures, rows, labels);
  const folds = stratifiedFolds(dataSet.labels, allRows(dataSet), 4, 1);

  it('gives every row a prediction of a model that has not seen it', () => {
    const trainer = createSplineLogistic(dataSet);
    const { outOfFold, logLoss } = trainer.crossValidate({ knots: 8, l2: 1 }, folds);
    const inFold = trainer.fit({ knots: 8, l2: 1 }, folds.rows).predict(dataSet, folds.rows);
    expect(outOfFold.every((p) => p > 0 && p < 1)).toBe(true);
    expect(logLoss).toBeLessThan(0.55);
    expect([...outOfFold]).not.toEqual([...inFold]);
  });

  it('gives the same answer whatever was tried before', () => {
    const fresh = createSplineLogistic(dataSet).crossValidate({ knots: 8, l2: 1 }, folds);
    const used = createSplineLogistic(dataSet);
    used.crossValidate({ knots: 5, l2: 10 }, folds);
    used.crossValidate({ knots: 8, l2: 0.3 }, folds);
    expect(used.crossValidate({ knots: 8, l2: 1 }, folds).outOfFold).toEqual(fresh.outOfFold);
  });
});
