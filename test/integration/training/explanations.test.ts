import { describe, expect, it } from 'vitest';
import { createExplainer } from '../../../models/explain/create-explainer.ts';
import { createRawScorer } from '../../../models/onnx/raw-scorer.ts';
import { writeTreeOnnx } from '../../../models/onnx/tree-graph.ts';
import { loadLightGbm } from '../../../models/training/lightgbm-api.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { dataSetOf, oddRows, syntheticFeatures, syntheticRows } from '../../unit/models/training/synthetic-data-set.ts';
import { lightgbmLibrary } from './example-job.ts';

const ROUNDS = 80;
const { signature } = tinyModel({ features: syntheticFeatures });
const width = syntheticFeatures.length;
const blockOf = (data: ReturnType<typeof dataSetOf>) => ({ matrix: data.matrix, rows: data.rows, columns: width });

/** Trees of categories, of missing values and of a part of the rows each, and what LightGBM itself says of `asked`. */
async function trained(asked: ReturnType<typeof dataSetOf>) {
  const { rows, labels } = syntheticRows(2000, 41);
  const data = dataSetOf(syntheticFeatures, rows, labels);
  const parameters =
    'objective=binary verbosity=-1 num_threads=1 deterministic=true seed=3 num_leaves=40 learning_rate=0.1 ' +
    'min_data_in_leaf=5 cat_smooth=1 bagging_freq=1 bagging_fraction=0.8 categorical_feature=4,5';
  const api = loadLightGbm(await lightgbmLibrary());
  const training = api.dataset(blockOf(data), Float32Array.from(data.labels), parameters);
  const booster = api.booster(training, parameters);
  for (let round = 0; round < ROUNDS; round += 1) booster.update();
  const onnx = writeTreeOnnx(syntheticFeatures, booster.dump());
  const expected = booster.contributions(blockOf(asked), ROUNDS);
  booster.free();
  training.free();
  return { onnx, expected };
}

describe('explanations of a gradient boosting', () => {
  it("are LightGBM's own, missing values and unknown categories included, and add up to the answer", async () => {
    const rows = [...syntheticRows(400, 43).rows, ...oddRows()];
    const asked = dataSetOf(syntheticFeatures, rows, new Uint8Array(rows.length));
    const { onnx, expected } = await trained(asked);
    const scorer = await createRawScorer(onnx, syntheticFeatures);
    const probabilities = await scorer.score(rows);
    await scorer.release();
    const golden = rows.map((row, i) => ({ features: row as never, probability: probabilities[i]! }));
    const made = await createExplainer({ onnx, manifest: { signature, golden } });
    if (!made.explainable) throw new Error(made.reason);
    const greatest = { base: 0, contribution: 0, logit: 0, probability: 0 };
    const note = (what: keyof typeof greatest, found: number, wanted: number): void => {
      greatest[what] = Math.max(greatest[what], Math.abs(found - wanted));
    };
    for (const [r, row] of rows.entries()) {
      const { base, logit, contributions } = await made.explainer.explain(row);
      const own = expected.subarray(r * (width + 1), (r + 1) * (width + 1));
      note('base', base, own[width]!);
      for (const { feature, contribution } of contributions) {
        note('contribution', contribution, own[syntheticFeatures.findIndex((f) => f.name === feature)]!);
      }
      note(
        'logit',
        logit,
        own.reduce((sum, value) => sum + value, 0),
      );
      note('probability', 1 / (1 + Math.exp(-logit)), probabilities[r]!);
    }
    expect(Math.max(greatest.base, greatest.contribution, greatest.logit)).toBeLessThan(1e-5);
    // Near 1 the log odds of a float32 probability say less than this.
    expect(greatest.probability).toBeLessThan(1e-6);
    // So that nothing is compared with zeros alone.
    expect(Math.max(...expected.map(Math.abs))).toBeGreaterThan(1);
  });
});
