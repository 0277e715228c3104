import proto from 'onnx-proto';
import { beforeAll, describe, expect, it } from 'vitest';
import type { FeatureRow } from '../../../../domain/signature.ts';
import { createExplainer, FOREIGN_REASON, NO_BACKGROUND_REASON } from '../../../../models/explain/create-explainer.ts';
import type { Explainer } from '../../../../models/explain/create-explainer.ts';
import { createRawScorer } from '../../../../models/onnx/raw-scorer.ts';
import { createSplineLogistic } from '../../../../models/training/spline-logistic.ts';
import { tinyModel } from '../../../support/tiny-model.ts';
import { allRows, dataSetOf, oddRows, syntheticFeatures, syntheticRows } from '../training/synthetic-data-set.ts';

const train = syntheticRows(600, 23);
const dataSet = dataSetOf(syntheticFeatures, train.rows, train.labels);
const onnx = createSplineLogistic(dataSet).fit({ knots: 8, l2: 1 }, allRows(dataSet)).toOnnx();
const { signature } = tinyModel({ features: syntheticFeatures });
const asked: readonly FeatureRow[] = [...train.rows.slice(0, 50), ...oddRows()];
const logitOf = (p: number) => Math.log(p / (1 - p));
let probabilities: Float32Array;

beforeAll(async () => {
  const scorer = await createRawScorer(onnx, syntheticFeatures);
  probabilities = await scorer.score(asked);
  await scorer.release();
});

const golden = () => asked.map((row, i) => ({ features: row as never, probability: probabilities[i]! }));

async function explainerOf(bytes: Uint8Array = onnx): Promise<Explainer> {
  const made = await createExplainer({ onnx: bytes, manifest: { signature, golden: golden() } });
  if (!made.explainable) throw new Error(made.reason);
  return made.explainer;
}

describe('createExplainer', () => {
  it('adds up to the log odds of the probability that is served', async () => {
    const explainer = await explainerOf();
    for (const [i, row] of asked.entries()) {
      const { base, logit, contributions } = await explainer.explain(row);
      expect(contributions.reduce((sum, c) => sum + c.contribution, base)).toBeCloseTo(logit, 10);
      expect(Math.abs(logit - logitOf(probabilities[i]!))).toBeLessThan(1e-5);
    }
  });

  it('names every feature with the value as it was sent, the largest contribution first', async () => {
    const row = { ...train.rows[0], city: 'never seen', amount: null, constructor: undefined };
    const { contributions } = await (await explainerOf()).explain(row);
    expect(contributions.map((c) => c.feature).sort()).toEqual(syntheticFeatures.map((f) => f.name).sort());
    expect(contributions.find((c) => c.feature === 'city')?.value).toBe('never seen');
    expect(contributions.find((c) => c.feature === 'amount')?.value).toBeNull();
    const sizes = contributions.map((c) => Math.abs(c.contribution));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  });

  it('refuses a graph of other make', async () => {
    const foreign = {
      input: { kind: 'matrix', name: 'x', type: 'float32' },
      output: { name: 'p', column: 1 },
    } as const;
    const made = await createExplainer({ onnx, manifest: { signature, golden: golden(), foreign } });
    expect(made).toEqual({ explainable: false, reason: FOREIGN_REASON });
  });

  it('refuses a file that says nothing of the training rows, as older ones', async () => {
    const old = proto.onnx.ModelProto.decode(onnx);
    old.metadataProps = [];
    const bytes = proto.onnx.ModelProto.encode(old).finish();
    const made = await createExplainer({ onnx: bytes, manifest: { signature, golden: golden() } });
    expect(made).toEqual({ explainable: false, reason: NO_BACKGROUND_REASON });
  });

  it('refuses a file whose explanations do not add up to its answers', async () => {
    const bent = proto.onnx.ModelProto.decode(onnx);
    bent.graph!.initializer!.find((c) => c.name === 'start')!.doubleData![0]! += 0.01;
    const bytes = proto.onnx.ModelProto.encode(bent).finish();
    const made = await createExplainer({ onnx: bytes, manifest: { signature, golden: golden() } });
    expect(made).toMatchObject({ explainable: false, reason: expect.stringMatching(/do not add up/) as string });
  });

  it('refuses a file whose background belongs to another graph', async () => {
    const bent = proto.onnx.ModelProto.decode(onnx);
    bent.metadataProps[0]!.value = JSON.stringify({ kind: 'trees', leafRows: [1, 2] });
    const bytes = proto.onnx.ModelProto.encode(bent).finish();
    const made = await createExplainer({ onnx: bytes, manifest: { signature, golden: golden() } });
    expect(made).toMatchObject({ explainable: false, reason: expect.stringMatching(/holds no trees/) as string });
  });
});
