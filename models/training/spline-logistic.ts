import { logLoss } from '../evaluation.ts';
import type { DataSet } from '../data/dataset.ts';
import { writeSplineOnnx } from '../onnx/spline-graph.ts';
import { buildDesign, columnMeans, learnLayout } from './design.ts';
import type { Design } from './design.ts';
import { splits } from './folds.ts';
import type { Folds } from './folds.ts';
import { fitLogistic, predictLogistic } from './logistic-solver.ts';
import type { CrossValidated, FittedModel, Parameters, Trainer } from './trainer.ts';

/** Knots of a cubic: few bend gently, many follow the data; the penalty does the rest. */
const KNOTS = [5, 8, 12];
/** Penalties, a factor of three apart; 1 is the default of scikit-learn. */
const L2 = [0.3, 1, 3, 10, 30];

/** Logistic regression on splines of the numbers and on one column per category, with an L2 penalty. */
export function createSplineLogistic(dataSet: DataSet): Trainer {
  const prepared = new Map<string, PreparedFold[]>();
  return {
    algorithm: 'spline-logistic',
    revision: 'spline-logistic/1',
    configurations: KNOTS.flatMap((knots) => L2.map((l2) => ({ knots, l2 }))),
    crossValidate: (configuration, folds) => crossValidate(dataSet, configuration, folds, prepared),
    fit: (parameters, rows) => fit(dataSet, parameters, rows),
    close: () => prepared.clear(),
  };
}

interface PreparedFold {
  readonly train: Design;
  readonly trainLabels: Uint8Array;
  readonly validation: Design;
  readonly positions: Int32Array;
}

function crossValidate(
  dataSet: DataSet,
  configuration: Parameters,
  folds: Folds,
  prepared: Map<string, PreparedFold[]>,
): CrossValidated {
  const { knots, l2 } = spelledOut(configuration);
  const parts = prepared.get(String(knots)) ?? prepare(dataSet, knots, folds);
  // One number of knots at a time: the designs are the largest thing in memory.
  prepared.clear();
  prepared.set(String(knots), parts);
  const outOfFold = new Float64Array(folds.rows.length);
  for (const part of parts) {
    const probabilities = predictLogistic(part.validation, fitLogistic(part.train, part.trainLabels, l2));
    for (const [i, position] of part.positions.entries()) outOfFold[position] = probabilities[i] as number;
  }
  const labels = Uint8Array.from(folds.rows, (row) => dataSet.labels[row] as number);
  return { parameters: configuration, logLoss: logLoss(labels, outOfFold), outOfFold };
}

function prepare(dataSet: DataSet, knots: number, folds: Folds): PreparedFold[] {
  return splits(folds).map(({ train, validation, validationPositions }) => {
    const layout = learnLayout(dataSet, train, knots);
    return {
      train: buildDesign(layout, dataSet, train),
      trainLabels: Uint8Array.from(train, (row) => dataSet.labels[row] as number),
      validation: buildDesign(layout, dataSet, validation),
      positions: validationPositions,
    };
  });
}

function fit(dataSet: DataSet, parameters: Parameters, rows: Int32Array): FittedModel {
  const { knots, l2 } = spelledOut(parameters);
  const layout = learnLayout(dataSet, rows, knots);
  const labels = Uint8Array.from(rows, (row) => dataSet.labels[row] as number);
  const design = buildDesign(layout, dataSet, rows);
  const fitted = fitLogistic(design, labels, l2);
  const means = columnMeans(design);
  return {
    predict: (data, wanted) => predictLogistic(buildDesign(layout, data, wanted), fitted),
    toOnnx: () => writeSplineOnnx(dataSet.features, { layout, ...fitted, means }),
  };
}

function spelledOut(parameters: Parameters): { knots: number; l2: number } {
  const { knots, l2 } = parameters;
  if (knots === undefined || l2 === undefined) throw new TypeError('spline-logistic needs the parameters knots and l2');
  return { knots, l2 };
}
