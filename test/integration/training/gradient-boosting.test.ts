import { beforeAll, describe, expect, it } from 'vitest';
import type { FeatureRow } from '../../../domain/signature.ts';
import type { DataSet } from '../../../models/data/dataset.ts';
import { createRawScorer } from '../../../models/onnx/raw-scorer.ts';
import { stratifiedFolds } from '../../../models/training/folds.ts';
import { createGradientBoosting } from '../../../models/training/gradient-boosting.ts';
import { loadLightGbm } from '../../../models/training/lightgbm-api.ts';
import type { LightGbmNode } from '../../../models/training/lightgbm-dump.ts';
import {
  allRows,
  dataSetOf,
  oddRows,
  syntheticFeatures,
  syntheticRows,
} from '../../unit/models/training/synthetic-data-set.ts';
import { lightgbmLibrary } from './example-job.ts';

const { rows, labels } = syntheticRows(3000, 31);
const dataSet = dataSetOf(syntheticFeatures, rows, labels);
const deep = { num_leaves: 40, learning_rate: 0.1, min_data_in_leaf: 5, cat_smooth: 1, lambda_l2: 0.1, rounds: 120 };
let library: string;

beforeAll(async () => {
  library = await lightgbmLibrary();
});

async function answers(trained: DataSet, asked: readonly FeatureRow[]) {
  const trainer = createGradientBoosting(trained, library, 3);
  try {
    const model = trainer.fit(deep, allRows(trained));
    const scorer = await createRawScorer(model.toOnnx(), trained.features);
    const data = dataSetOf(trained.features, asked, new Uint8Array(asked.length));
    const own = model.predict(data, allRows(data));
    const file = await scorer.score(asked);
    await scorer.release();
    return { own, differences: [...own].map((p, i) => Math.abs(p - file[i]!)) };
  } finally {
    trainer.close();
  }
}

describe('the ONNX file of a gradient boosting', () => {
  it('says what LightGBM says on every training row, categories and missing values included', async () => {
    const { own, differences } = await answers(dataSet, rows);
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
    expect(new Set(own).size).toBeGreaterThan(1000);
  });

  it('says the same on unknown categories, far values and values missing where training saw none', async () => {
    const { own, differences } = await answers(dataSet, oddRows());
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
    expect(new Set(own).size).toBeGreaterThan(3);
  });

  it('keeps the side of values on and right beside every threshold', async () => {
    const thresholds = thresholdsOf(dataSet).filter((t) => t.feature === 0);
    const nearby = thresholds.flatMap(({ value }) => {
      const single = Math.fround(value);
      return [single, Math.fround(single * (1 + 2 ** -23)), Math.fround(single * (1 - 2 ** -23))];
    });
    const asked = nearby.map((amount) => ({ ...rows[0], amount }));
    const { own, differences } = await answers(dataSet, asked);
    expect(nearby.length).toBeGreaterThan(100);
    expect(Math.max(...differences)).toBeLessThanOrEqual(1e-6);
    expect(new Set(own).size).toBeGreaterThan(20);
  });

  it('is the same bytes for the same seed and others for another', () => {
    const bytes = (seed: number) => {
      const trainer = createGradientBoosting(dataSet, library, seed);
      const file = Buffer.from(trainer.fit({ ...deep, bagging_fraction: 0.7 }, allRows(dataSet)).toOnnx());
      trainer.close();
      return file.toString('base64');
    };
    expect(bytes(1)).toBe(bytes(1));
    expect(bytes(1)).not.toBe(bytes(2));
  });
});

function thresholdsOf(data: DataSet): { feature: number; value: number }[] {
  const block = { matrix: data.matrix, rows: data.rows, columns: data.features.length };
  const api = loadLightGbm(library);
  const parameters = 'objective=binary verbosity=-1 num_leaves=40 learning_rate=0.1 min_data_in_leaf=5 num_threads=1';
  const training = api.dataset(block, Float32Array.from(data.labels), parameters);
  const booster = api.booster(training, parameters);
  for (let round = 0; round < 60; round += 1) booster.update();
  const found: { feature: number; value: number }[] = [];
  const visit = (tip: LightGbmNode): void => {
    if ('leaf_value' in tip) return;
    found.push({ feature: tip.split_feature, value: Number(tip.threshold) });
    visit(tip.left_child);
    visit(tip.right_child);
  };
  for (const tree of booster.dump().tree_info) visit(tree.tree_structure);
  booster.free();
  training.free();
  return found;
}

describe('createGradientBoosting', () => {
  const folds = stratifiedFolds(dataSet.labels, allRows(dataSet), 3, 5);

  it('learns the number of trees from the folds', () => {
    const trainer = createGradientBoosting(dataSet, library, 3);
    const { parameters, logLoss } = trainer.crossValidate(trainer.configurations[3]!, folds);
    trainer.close();
    expect(parameters['rounds']).toBeGreaterThan(10);
    expect(parameters['rounds']).toBeLessThan(600);
    expect(logLoss).toBeLessThan(0.5);
  });

  it('gives the same out-of-fold predictions whatever was tried before', () => {
    const fresh = createGradientBoosting(dataSet, library, 3);
    const alone = fresh.crossValidate(fresh.configurations[1]!, folds);
    const used = createGradientBoosting(dataSet, library, 3);
    used.crossValidate(used.configurations[0]!, folds);
    const after = used.crossValidate(used.configurations[1]!, folds);
    fresh.close();
    used.close();
    expect(after).toEqual(alone);
  });

  it('says which file is no LightGBM library', () => {
    expect(() => createGradientBoosting(dataSet, '/etc/hostname', 1)).toThrow(/cannot be loaded from \/etc\/hostname/);
  });

  it('reports what LightGBM refuses in its own words', () => {
    const trainer = createGradientBoosting(dataSet, library, 1);
    expect(() => trainer.fit({ ...deep, num_leaves: -1 }, allRows(dataSet))).toThrow(/LightGBM: .*num_leaves/);
    trainer.close();
  });
});
