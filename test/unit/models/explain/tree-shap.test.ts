import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import proto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import type { FeatureSpec } from '../../../../domain/signature.ts';
import { BACKGROUND_KEY, readBackground } from '../../../../models/explain/background.ts';
import { goesYes, LEAF, readForest } from '../../../../models/explain/forest.ts';
import type { Forest } from '../../../../models/explain/forest.ts';
import { createTreeShap } from '../../../../models/explain/tree-shap.ts';
import { writeTreeOnnx } from '../../../../models/onnx/tree-graph.ts';
import type { LightGbmNode } from '../../../../models/training/lightgbm-dump.ts';
import { categoryFeature, numberFeature } from '../../../support/tiny-model.ts';

const features: readonly FeatureSpec[] = [
  numberFeature('age'),
  categoryFeature('plan', ['a', 'b', 'c', 'd']),
  numberFeature('spend'),
  numberFeature('unused'),
];
const UNUSED = 3;

/** As it is served: through the model file and back. */
function forestOf(trees: readonly LightGbmNode[], specs: readonly FeatureSpec[] = features): Forest {
  const bytes = writeTreeOnnx(specs, { tree_info: trees.map((tree_structure) => ({ tree_structure })) });
  const model = proto.onnx.ModelProto.decode(bytes);
  const background = readBackground(model.metadataProps.find((p) => p.key === BACKGROUND_KEY)?.value ?? '');
  if (background?.kind !== 'trees') throw new Error('no rows of leaves in the file');
  return readForest(
    model.graph!.node!.find((n) => n.opType === 'TreeEnsembleRegressor')!,
    background.leafRows,
  );
}

function explain(forest: Forest, encoded: Float32Array): { base: number; values: Float64Array } {
  const shap = createTreeShap(forest);
  const values = new Float64Array(encoded.length);
  for (let tree = 0; tree < shap.trees; tree += 1) shap.addTree(tree, encoded, values);
  return { base: shap.base, values };
}

/** Mean answer when the features of `known` (bits) have the row's values (Lundberg et al., Algorithm 1). */
function expectation(forest: Forest, node: number, encoded: Float32Array, known: number): number {
  const feature = forest.feature[node]!;
  if (feature === LEAF) return forest.value[node]!;
  const [yes, no] = [forest.yes[node]!, forest.no[node]!];
  if ((known & (1 << feature)) !== 0) {
    return expectation(forest, goesYes(forest, node, encoded) ? yes : no, encoded, known);
  }
  const share = (child: number) =>
    (forest.rows[child]! / forest.rows[node]!) * expectation(forest, child, encoded, known);
  return share(yes) + share(no);
}

/** Shapley values by their definition: every subset of the features. */
function bruteForce(forest: Forest, encoded: Float32Array): number[] {
  const count = encoded.length;
  const factorial = (n: number): number => (n <= 1 ? 1 : n * factorial(n - 1));
  const answer = (known: number) =>
    forest.roots.reduce((sum, root) => sum + expectation(forest, root, encoded, known), 0);
  return Array.from({ length: count }, (_, feature) => {
    let value = 0;
    for (let set = 0; set < 1 << count; set += 1) {
      if ((set & (1 << feature)) !== 0) continue;
      const size = set.toString(2).replaceAll('0', '').length;
      const weight = (factorial(size) * factorial(count - size - 1)) / factorial(count);
      value += weight * (answer(set | (1 << feature)) - answer(set));
    }
    return value;
  });
}

const { tree } = fc.letrec<{ tree: LightGbmNode }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.record({ leaf_value: fc.double({ min: -2, max: 2, noNaN: true }), leaf_count: fc.integer({ min: 1, max: 50 }) }),
    fc
      .record({
        split: fc.nat({ max: 2 }),
        at: fc.integer({ min: 0, max: 10 }),
        set: fc.subarray([0, 1, 2, 3], { minLength: 1, maxLength: 3 }),
        left: tie('tree'),
        right: tie('tree'),
      })
      .map(({ split, at, set, left, right }) => ({
        split_feature: split,
        threshold: split === 1 ? set.join('||') : at,
        decision_type: split === 1 ? ('==' as const) : ('<=' as const),
        default_left: at > 3,
        missing_type: split === 1 ? ('None' as const) : ('NaN' as const),
        left_child: left,
        right_child: right,
      })),
  ),
}));
const trees = fc.array(tree, { minLength: 1, maxLength: 3 });
const number = fc.oneof(fc.integer({ min: -1, max: 11 }), fc.constant(NaN));
const encodedRow = fc
  .tuple(number, fc.integer({ min: -2, max: 3 }), number, number)
  .map((values) => Float32Array.from(values));

describe('createTreeShap', () => {
  it('gives the Shapley values of the definition, for any trees and rows', () => {
    fc.assert(
      fc.property(trees, encodedRow, (roots, encoded) => {
        const forest = forestOf(roots);
        const { values } = explain(forest, encoded);
        const expected = bruteForce(forest, encoded);
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 9);
      }),
      { numRuns: 300 },
    );
  });

  it('adds up to the answer, and gives nothing to a feature without a split', () => {
    fc.assert(
      fc.property(trees, encodedRow, (roots, encoded) => {
        const forest = forestOf(roots);
        const { base, values } = explain(forest, encoded);
        const answer = forest.roots.reduce((sum, root) => sum + expectation(forest, root, encoded, 0b1111), 0);
        expect(values.reduce((sum, value) => sum + value, base)).toBeCloseTo(answer, 9);
        expect(values[UNUSED]).toBe(0);
      }),
    );
  });

  it('gives two features that do the same the same', () => {
    const leaf = (leaf_value: number, leaf_count: number) => ({ leaf_value, leaf_count });
    const split = (split_feature: number, left_child: LightGbmNode, right_child: LightGbmNode): LightGbmNode => ({
      split_feature,
      threshold: 0.5,
      decision_type: '<=',
      default_left: true,
      missing_type: 'NaN',
      left_child,
      right_child,
    });
    // "Both are 1" by hand: 1 with a chance of a quarter, so that each of two ones is worth 3/8.
    const forest = forestOf([split(0, leaf(0, 10), split(2, leaf(0, 5), leaf(1, 5)))]);
    const { base, values } = explain(forest, Float32Array.from([1, 0, 1, 0]));
    expect(base).toBeCloseTo(0.25, 12);
    expect([...values]).toEqual([expect.closeTo(3 / 8, 12), 0, expect.closeTo(3 / 8, 12), 0]);
  });

  it('counts a chain of equal branches as one split', () => {
    const forest = forestOf([
      {
        split_feature: 1,
        threshold: '0||2||3',
        decision_type: '==',
        default_left: false,
        missing_type: 'None',
        left_child: { leaf_value: 1, leaf_count: 30 },
        right_child: { leaf_value: 0, leaf_count: 10 },
      },
    ]);
    expect(forest.depth).toBe(1);
    const valueOf = (code: number) => explain(forest, Float32Array.from([0, code, 0, 0])).values[1];
    expect([0, 1, 2, 3, -1, -2].map(valueOf)).toEqual([0.25, -0.75, 0.25, 0.25, -0.75, -0.75]);
  });

  it('says what the shap package says', () => {
    const url = new URL('../../../reference/shap-values.json', import.meta.url);
    const { rows, trees: reference } = JSON.parse(readFileSync(url, 'utf8')) as Reference;
    const specs = rows[0]!.map((_, i) => numberFeature(`x${i}`));
    const forest = forestOf(
      reference.dump.map((t) => t.tree_structure),
      specs,
    );
    expect(forest.depth).toBeGreaterThan(5);
    for (const [r, row] of rows.entries()) {
      const { base, values } = explain(forest, Float32Array.from(row));
      // Leaves are float32 in the file.
      expect(base).toBeCloseTo(reference.base, 6);
      for (const [i, value] of values.entries()) expect(value).toBeCloseTo(reference.values[r]![i]!, 5);
    }
  });
});

interface Reference {
  readonly rows: readonly (readonly number[])[];
  readonly trees: {
    readonly dump: readonly { readonly tree_structure: LightGbmNode }[];
    readonly base: number;
    readonly values: readonly (readonly number[])[];
  };
}
