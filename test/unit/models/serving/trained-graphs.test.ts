import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureSpec } from '../../../../domain/signature.ts';
import { createRawScorer } from '../../../../models/onnx/raw-scorer.ts';
import { writeTreeOnnx } from '../../../../models/onnx/tree-graph.ts';
import { loadModel } from '../../../../models/serving/load-model.ts';
import type { LightGbmNode } from '../../../../models/training/lightgbm-dump.ts';
import { categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const flag = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
const features: readonly FeatureSpec[] = [
  numberFeature('age', flag),
  categoryFeature('plan', ['a', 'b', 'c'], flag),
  numberFeature('spend', flag),
];
const row = fc.record({
  age: fc.option(fc.integer({ min: -5, max: 20 })),
  plan: fc.option(fc.constantFrom('a', 'b', 'c', 'd')),
  spend: fc.option(fc.double({ min: 0, max: 10, noNaN: true })),
});

/** Trees as LightGBM dumps them. */
const { tree } = fc.letrec<{ tree: LightGbmNode }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ leaf_value: fc.double({ min: -1, max: 1, noNaN: true }) }),
    fc
      .record({
        split: fc.nat({ max: 2 }),
        at: fc.double({ min: 0, max: 10, noNaN: true }),
        left: tie('tree'),
        right: tie('tree'),
      })
      .map(({ split, at, left, right }) => ({
        split_feature: split,
        threshold: split === 1 ? (at < 5 ? '0' : '0||2') : at,
        decision_type: split === 1 ? ('==' as const) : ('<=' as const),
        default_left: at > 3,
        missing_type: split === 1 ? ('None' as const) : ('NaN' as const),
        left_child: left,
        right_child: right,
      })),
  ),
}));

describe('a forest as training writes it', () => {
  it('gives on the serving path what the stored file gives, for every row', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(tree, { minLength: 1, maxLength: 5 }),
        fc.array(row, { minLength: 1 }),
        async (trees, rows) => {
          const onnx = writeTreeOnnx(features, { tree_info: trees.map((t) => ({ tree_structure: t })) });
          const raw = await createRawScorer(onnx, features);
          const expected = await raw.score(rows);
          await raw.release();
          const golden = rows.slice(0, 5).map((r, i) => ({ features: r, probability: expected[i]! }));
          const model = await loadModel({ onnx, manifest: { ...tinyModel({ features }).manifest, golden } });
          const matrix = new Float32Array(rows.length * 3);
          for (const [i, r] of rows.entries()) expect(model.encoder.encode(r, matrix, i * 3).problems).toEqual([]);
          const answers = await model.predictMany(matrix, rows.length);
          for (const [i, p] of answers.entries()) expect(Math.abs(p - expected[i]!)).toBeLessThan(1e-6);
          await model.close();
        },
      ),
      { numRuns: 40 },
    );
  });
});
