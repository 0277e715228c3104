import { availableParallelism } from 'node:os';
import type { FeatureSpec } from '../../domain/signature.ts';
import type { DataSet } from '../data/dataset.ts';
import { logLoss } from '../evaluation.ts';
import { writeTreeOnnx } from '../onnx/tree-graph.ts';
import { splits } from './folds.ts';
import type { Folds } from './folds.ts';
import { loadLightGbm } from './lightgbm-api.ts';
import type { Block, Booster, BoosterDataset, LightGbmApi } from './lightgbm-api.ts';
import type { CrossValidated, FittedModel, Parameters, Trainer } from './trainer.ts';

/** A boosting that still improves here has far too small steps for its data. */
const ROUNDS_MAX = 800;
/** Rounds without a better mean loss over the folds before a configuration is left. */
const PATIENCE_ROUNDS = 30;
/** Up to this many cells one thread is nearly as fast as many, and leaves the other cores to the serving path. */
const SINGLE_THREAD_CELLS_MAX = 2_000_000;
const THREADS_MAX = 4;

/**
 * A small search over what matters most (size of a tree, rows in a leaf, columns and rows per tree, shrinkage of leaves)
 * from shallow and smooth to deep and free. The number of trees is learnt by early stopping.
 */
const CONFIGURATIONS: readonly Parameters[] = [
  configuration(3, 0.08, 50, 0.5, 0.8, 5, 20),
  configuration(4, 0.05, 100, 0.5, 0.7, 10, 20),
  configuration(5, 0.05, 60, 0.3, 1, 10, 10),
  configuration(7, 0.05, 30, 0.5, 1, 5, 20),
  configuration(15, 0.03, 50, 0.4, 0.8, 20, 50),
  configuration(15, 0.05, 20, 0.8, 1, 1, 10),
  configuration(31, 0.05, 20, 0.5, 0.8, 5, 10),
  configuration(63, 0.05, 50, 0.8, 0.8, 1, 10),
];

// Names are LightGBM's own, so that a version's lineage can be compared with any other LightGBM model.
function configuration(
  num_leaves: number,
  learning_rate: number,
  min_data_in_leaf: number,
  feature_fraction: number,
  bagging_fraction: number,
  lambda_l2: number,
  cat_smooth: number,
): Parameters {
  return { num_leaves, learning_rate, min_data_in_leaf, feature_fraction, bagging_fraction, lambda_l2, cat_smooth };
}

const FIXED = {
  objective: 'binary',
  metric: 'binary_logloss',
  verbosity: -1,
  // The same model whatever the number of threads.
  deterministic: true,
  force_row_wise: true,
  // Data sets are shared by all configurations.
  feature_pre_filter: false,
  bagging_freq: 1,
};

/** Gradient boosting by LightGBM's own C library. */
export function createGradientBoosting(dataSet: DataSet, libraryPath: string, seed: number): Trainer {
  const api = loadLightGbm(libraryPath);
  const session: Session = { api, dataSet, seed, folds: null, fitted: [] };
  return {
    algorithm: 'gradient-boosting',
    revision: 'gradient-boosting/1',
    configurations: CONFIGURATIONS,
    crossValidate: (configuration, folds) => crossValidate(session, configuration, folds),
    fit: (parameters, rows) => fit(session, parameters, rows),
    close: () => {
      freeFolds(session);
      for (const native of session.fitted.splice(0)) native.free();
    },
  };
}

interface Session {
  readonly api: LightGbmApi;
  readonly dataSet: DataSet;
  readonly seed: number;
  /** Binned once, used by every configuration. */
  folds: { readonly of: Folds; readonly parts: readonly FoldData[] } | null;
  /** What fitted models stand on, in the order of freeing; they are good until the trainer is closed. */
  readonly fitted: { free(): void }[];
}

interface FoldData {
  readonly train: BoosterDataset;
  readonly validation: BoosterDataset;
  readonly block: Block;
  readonly positions: Int32Array;
}

/** All folds grow in step: the number of trees that is best for their mean is one a single model can use. */
function crossValidate(session: Session, configuration: Parameters, folds: Folds): CrossValidated {
  const parts = foldData(session, folds);
  const parameters = describe(session, configuration);
  const boosters: Booster[] = [];
  try {
    for (const part of parts) {
      const booster = session.api.booster(part.train, parameters);
      boosters.push(booster);
      booster.addValidation(part.validation);
    }
    const rounds = bestRounds(boosters, parts);
    const outOfFold = new Float64Array(folds.rows.length);
    for (const [k, part] of parts.entries()) {
      const probabilities = (boosters[k] as Booster).predict(part.block, rounds);
      for (const [i, position] of part.positions.entries()) outOfFold[position] = probabilities[i] as number;
    }
    const labels = labelsOf(session.dataSet, folds.rows);
    return { parameters: { ...configuration, rounds }, logLoss: logLoss(labels, outOfFold), outOfFold };
  } finally {
    for (const booster of boosters) booster.free();
  }
}

function bestRounds(boosters: readonly Booster[], parts: readonly FoldData[]): number {
  const rows = parts.reduce((sum, part) => sum + part.block.rows, 0);
  const growing = new Set(boosters);
  let best = { round: 1, loss: Infinity };
  for (let round = 1; round <= ROUNDS_MAX && growing.size > 0; round += 1) {
    for (const booster of growing) if (!booster.update()) growing.delete(booster);
    const loss = boosters.reduce((sum, booster, k) => {
      return sum + (booster.validationMetric() * (parts[k] as FoldData).block.rows) / rows;
    }, 0);
    if (loss < best.loss) best = { round, loss };
    if (round - best.round >= PATIENCE_ROUNDS) break;
  }
  return best.round;
}

function fit(session: Session, parameters: Parameters, rows: Int32Array): FittedModel {
  const { rounds = ROUNDS_MAX, ...configuration } = parameters;
  const { api, dataSet } = session;
  const description = describe(session, configuration);
  const dataset = api.dataset(blockOf(dataSet, rows), labelsOf(dataSet, rows), description);
  session.fitted.unshift(dataset);
  const booster = api.booster(dataset, description);
  session.fitted.unshift(booster);
  for (let round = 0; round < rounds && booster.update(); round += 1);
  return {
    predict: (data, wanted) => booster.predict(blockOf(data, wanted), rounds),
    toOnnx: () => writeTreeOnnx(dataSet.features, booster.dump()),
  };
}

function foldData(session: Session, folds: Folds): readonly FoldData[] {
  if (session.folds?.of === folds) return session.folds.parts;
  freeFolds(session);
  const { api, dataSet } = session;
  const description = describe(session, {});
  const parts = splits(folds).map(({ train, validation, validationPositions }) => {
    const block = blockOf(dataSet, validation);
    const trainData = api.dataset(blockOf(dataSet, train), labelsOf(dataSet, train), description);
    const validationData = api.dataset(block, labelsOf(dataSet, validation), description, trainData);
    return { train: trainData, validation: validationData, block, positions: validationPositions };
  });
  session.folds = { of: folds, parts };
  return parts;
}

function freeFolds(session: Session): void {
  for (const part of session.folds?.parts ?? []) {
    part.validation.free();
    part.train.free();
  }
  session.folds = null;
}

/** LightGBM's `name=value` list. */
function describe({ dataSet, seed }: Session, parameters: Parameters): string {
  const categories = categoryColumns(dataSet.features);
  const all = {
    ...FIXED,
    num_threads: threadsFor(dataSet),
    seed,
    ...parameters,
    ...(categories.length > 0 && { categorical_feature: categories.join(',') }),
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ');
}

function threadsFor({ matrix }: DataSet): number {
  return matrix.length <= SINGLE_THREAD_CELLS_MAX ? 1 : Math.min(THREADS_MAX, availableParallelism());
}

function categoryColumns(features: readonly FeatureSpec[]): number[] {
  return [...features.keys()].filter((i) => features[i]?.type === 'category');
}

function blockOf(dataSet: DataSet, rows: Int32Array): Block {
  const columns = dataSet.features.length;
  const matrix = new Float32Array(rows.length * columns);
  for (const [i, row] of rows.entries()) {
    matrix.set(dataSet.matrix.subarray(row * columns, (row + 1) * columns), i * columns);
  }
  return { matrix, rows: rows.length, columns };
}

function labelsOf(dataSet: DataSet, rows: Int32Array): Float32Array {
  return Float32Array.from(rows, (row) => dataSet.labels[row] as number);
}
