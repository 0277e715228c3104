import { describe, expect, it } from 'vitest';
import { createRawScorer } from '../../../../models/onnx/raw-scorer.ts';
import { createSplineLogistic } from '../../../../models/training/spline-logistic.ts';
import type { DataSet } from '../../../../models/data/dataset.ts';
import { allRows, dataSetOf, oddRows, syntheticFeatures, syntheticRows } from '../training/synthetic-data-set.ts';

const train = syntheticRows(800, 11);
const dataSet = dataSetOf(syntheticFeatures, train.rows, train.labels);

async function greatestDifference(data: DataSet, trained: DataSet = dataSet): Promise<number> {
  const model = createSplineLogistic(trained).fit({ knots: 12, l2: 0.3 }, allRows(trained));
  const scorer = await createRawScorer(model.toOnnx(), trained.features);
  const own = model.predict(data, allRows(data));
  const answers = await scorer.score([...allRows(data)].map((row) => data.rawRow(row)));
  await scorer.release();
  expect(answers).toHaveLength(own.length);
  return Math.max(...own.map((p, i) => Math.abs(p - answers[i]!)));
}

describe('the ONNX file of a spline logistic regression', () => {
  it('says what the trainer says on every training row', async () => {
    expect(await greatestDifference(dataSet)).toBeLessThan(1e-7);
  });

  it('says the same on missing, unknown, far out and on-the-knot values', async () => {
    const rows = oddRows();
    const odd = dataSetOf(syntheticFeatures, rows, new Uint8Array(rows.length));
    expect(await greatestDifference(odd)).toBeLessThan(1e-7);
  });

  it.each(syntheticFeatures.map((f) => f.name))('works with the one feature %s', async (name) => {
    const features = syntheticFeatures.filter((f) => f.name === name);
    const one = dataSetOf(features, train.rows, train.labels);
    expect(await greatestDifference(one, one)).toBeLessThan(1e-7);
  });

  it('is the same bytes for the same model', () => {
    const bytes = () => createSplineLogistic(dataSet).fit({ knots: 8, l2: 1 }, allRows(dataSet)).toOnnx();
    expect(Buffer.from(bytes()).equals(Buffer.from(bytes()))).toBe(true);
  });

  it('refuses a feature named like a tensor inside', () => {
    const named = dataSetOf([{ ...syntheticFeatures[0]!, name: 'probability' }], [{ probability: 1 }], [1]);
    const rows = [1, 2, 3].map((probability) => ({ probability }));
    const data = dataSetOf(named.features, rows, [0, 1, 1]);
    const model = createSplineLogistic(data).fit({ knots: 5, l2: 1 }, allRows(data));
    expect(() => model.toOnnx()).toThrow(/collide/);
  });
});
