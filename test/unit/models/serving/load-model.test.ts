import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadModel } from '../../../../models/serving/load-model.ts';
import type { LoadedModel } from '../../../../models/serving/load-model.ts';
import { booleanFeature, categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';
import type { TinyModelOptions } from '../../../support/tiny-model.ts';

async function withModel(options: TinyModelOptions, use: (model: LoadedModel) => Promise<void>): Promise<void> {
  const model = await loadModel(tinyModel(options));
  try {
    await use(model);
  } finally {
    await model.close();
  }
}

function predict(model: LoadedModel, row: unknown): Promise<number> {
  const floats = new Float32Array(model.encoder.width);
  expect(model.encoder.encode(row, floats, 0).problems).toEqual([]);
  return model.predictOne(floats);
}

const flag = { missing: 'flag', unknown: 'flag' } as const;
const mixed: TinyModelOptions = {
  features: [
    numberFeature('age', flag),
    categoryFeature('plan', ['a', 'ß', '日本'], flag),
    booleanFeature('active', flag),
  ],
  weights: [0.1, 0.7, -0.4],
  bias: 0.2,
  golden: [
    { age: 3, plan: 'ß', active: true },
    { age: null, plan: '', active: null },
    { age: -2.5, plan: 'never seen', active: false },
  ],
};

describe('loadModel', () => {
  it('gives the probability of the formula for any row, missing and unknown values included', async () => {
    const tiny = tinyModel(mixed);
    await withModel(mixed, async (model) => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            age: fc.option(fc.float({ min: -50, max: 50, noNaN: true })),
            plan: fc.option(fc.constantFrom('a', 'ß', '日本', 'other')),
            active: fc.option(fc.boolean()),
          }),
          async (row) => {
            expect(await predict(model, row)).toBeCloseTo(tiny.expected(row), 5);
          },
        ),
      );
    });
  });

  it('never mixes answers under concurrency', async () => {
    await withModel({ link: 'identity' }, async (model) => {
      let next = 0;
      await fc.assert(
        fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 40 }), async (sizes) => {
          const calls = sizes.map(async (size) => {
            const ids = Float32Array.from({ length: size }, () => (next = (next + 1) % 16_000_000));
            const answers =
              size === 1 ? Float32Array.of(await model.predictOne(ids)) : await model.predictMany(ids, size);
            expect(answers).toEqual(ids);
          });
          await Promise.all(calls);
        }),
        { numRuns: 30 },
      );
    });
  });

  it('fails only the row onnxruntime fails on', async () => {
    await withModel({ link: 'identity', failsFrom: 10 }, async (model) => {
      const calls = [1, 2, 11, 3].map((x) => model.predictOne(Float32Array.of(x)));
      const settled = await Promise.allSettled(calls);
      expect(settled.map((s) => (s.status === 'fulfilled' ? s.value : 'failed'))).toEqual([1, 2, 'failed', 3]);
    });
  });

  it('reports the size of each run', async () => {
    const sizes: number[] = [];
    const model = await loadModel(tinyModel(), { onBatch: (rows) => sizes.push(rows) });
    await Promise.all([0, 1, 2].map((x) => model.predictOne(Float32Array.of(x))));
    expect(sizes).toEqual([3]);
    await model.close();
  });

  it('refuses a model whose golden rows give another answer than the stored one', async () => {
    const { onnx, manifest } = tinyModel(mixed);
    const golden = manifest.golden.map((g, i) => (i === 1 ? { ...g, probability: g.probability + 1e-5 } : g));
    await expect(loadModel({ onnx, manifest: { ...manifest, golden } })).rejects.toMatchObject({
      code: 'artefactCorrupt',
      problems: [{ field: 'golden[1]' }],
    });
  });

  it('refuses a manifest without golden rows, or with rows that do not fit the signature', async () => {
    const { onnx, manifest } = tinyModel();
    await expect(loadModel({ onnx, manifest: { ...manifest, golden: [] } })).rejects.toThrow(/no golden rows/);
    const golden = [{ features: { x: 'text' }, probability: 0.5 }];
    await expect(loadModel({ onnx, manifest: { ...manifest, golden } })).rejects.toThrow(/does not fit the signature/);
  });

  it('answers what waits before it closes, and closes once', async () => {
    const model = await loadModel(tinyModel({ link: 'identity' }));
    const waiting = model.predictOne(Float32Array.of(0.25));
    const closed = Promise.all([model.close(), model.close()]);
    expect(await waiting).toBe(0.25);
    await closed;
    await expect(model.predictOne(Float32Array.of(1))).rejects.toMatchObject({ code: 'unavailable' });
  });
});
