import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Serving } from '../../../../api/serving/contract.ts';
import { NO_BACKGROUND_REASON } from '../../../../models/explain/create-explainer.ts';
import { createRawScorer } from '../../../../models/onnx/raw-scorer.ts';
import { createSplineLogistic } from '../../../../models/training/spline-logistic.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { tinyModel } from '../../../support/tiny-model.ts';
import { allRows, dataSetOf, syntheticFeatures, syntheticRows } from '../../models/training/synthetic-data-set.ts';

const { rows, labels } = syntheticRows(400, 29);
let world: ServingWorld;
let serving: Serving;

/** `new`: a trained model. `old`: one whose file says nothing of its training rows. */
beforeAll(async () => {
  world = await ServingWorld.create();
  const data = dataSetOf(syntheticFeatures, rows, labels);
  const onnx = createSplineLogistic(data).fit({ knots: 5, l2: 1 }, allRows(data)).toOnnx();
  const scorer = await createRawScorer(onnx, syntheticFeatures);
  const probabilities = await scorer.score(rows.slice(0, 8));
  await scorer.release();
  const tiny = tinyModel({ features: syntheticFeatures });
  const golden = [...probabilities].map((probability, i) => ({ features: rows[i] as never, probability }));
  const digest = createHash('sha256').update(onnx).digest('hex');
  const manifest = { ...tiny.manifest, onnx: { digest, bytes: onnx.length }, golden };
  world.addVersion('new', 1, { ...tiny, onnx, manifest });
  world.addVersion('old', 1, tinyModel());
  for (const model of ['new', 'old']) world.route(model, [{ variant: 'champion', version: 1, weightPercent: 100 }]);
  serving = await world.started();
});
afterAll(() => world.destroy());

const explain = (row = rows[0]!) => serving.explain('new', 1, row);

describe('Serving.explain', () => {
  it('adds up to what is served', async () => {
    for (const row of rows.slice(0, 20)) {
      const [outcome] = await serving.predict('new', [{ entityId: null, features: row }]);
      const found = await explain(row);
      if (outcome?.ok !== true || !found.explained) throw new Error('not answered');
      expect(1 / (1 + Math.exp(-found.explanation.logit))).toBeCloseTo(outcome.probability, 6);
    }
  });

  it('reads the files once, at the first explanation', async () => {
    await explain();
    const before = world.reads;
    await Promise.all(Array.from({ length: 5 }, () => explain()));
    expect(world.reads).toBe(before);
  });

  it('says why there is none', async () => {
    expect(await serving.explanationRefusal('new', 1)).toBeNull();
    expect(await serving.explanationRefusal('old', 1)).toBe(NO_BACKGROUND_REASON);
    expect(await serving.explain('old', 1, { x: 1 })).toEqual({ explained: false, reason: NO_BACKGROUND_REASON });
    expect(await serving.explain('new', 7, {})).toMatchObject({ explained: false });
  });

  it('lets no more wait than it can answer soon', async () => {
    const found = await Promise.all(Array.from({ length: 150 }, () => explain()));
    const refused = found.filter((f) => !f.explained);
    expect(refused).toHaveLength(50);
    expect(refused[0]).toMatchObject({ reason: expect.stringMatching(/waiting already/) as string });
    expect((await explain()).explained).toBe(true);
  });
});
