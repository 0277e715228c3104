import { describe, expect, it } from 'vitest';
import type { ForeignBinding } from '../../../../models/manifest.ts';
import { attribute } from '../../../../models/onnx/graph.ts';
import { loadModel } from '../../../../models/serving/load-model.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { DataType, floats, node, onnxFile, tensor } from '../../../support/onnx-file.ts';
import { categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const flagged = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
const features = [
  numberFeature('age', { column: 4 }),
  { ...categoryFeature('plan', ['a', 'b', 'c']), encoding: 'oneHot', column: 1, ...flagged } as const,
  { ...categoryFeature('city', ['x', 'y']), encoding: 'code', column: 0, ...flagged } as const,
];
const { signature, manifest } = tinyModel({ features: [numberFeature('x')] });
const binding: ForeignBinding = {
  input: { kind: 'matrix', name: 'input', type: 'float32' },
  output: { name: 'probabilities', column: 1 },
};
/** `[1 - p, p]` with p = the weighted sum of five columns. */
const weights = [0.01, 0.1, 0.2, 0.3, 0.001];
const onnx = onnxFile({
  nodes: [
    node('MatMul', ['input', 'weights'], ['p']),
    node('Sub', ['one', 'p'], ['q']),
    node('Concat', ['q', 'p'], ['probabilities'], { attribute: [attribute.int('axis', 1)] }),
  ],
  inputs: [tensor('input', ['n', 5])],
  outputs: [tensor('probabilities', ['n', 2])],
  constants: [floats('weights', [5, 1], weights), floats('one', [1], [1])],
});
const golden = [{ features: { age: 10, plan: 'c', city: 'y' }, probability: 0.32 }];
const source = { onnx, manifest: { ...manifest, signature: { ...signature, features }, foreign: binding, golden } };

describe('the encoder of an imported matrix', () => {
  const encoder = compileRowEncoder({ ...signature, features });
  const encode = (row: object) => {
    // What was there before must not show.
    const out = new Float32Array(7).fill(9);
    const found = encoder.encode(row, out, 1);
    return { floats: [...out], problems: found.problems.length, warnings: found.warnings.map((w) => w.field) };
  };

  it('puts every feature into its columns', () => {
    expect(encoder.width).toBe(5);
    expect(encode({ age: 3, plan: 'b', city: 'y' })).toEqual({
      floats: [9, 1, 0, 1, 0, 3, 9],
      problems: 0,
      warnings: [],
    });
  });

  it('writes only zeros for a category that is missing or unknown, and says so', () => {
    const missing = encode({ age: 3, plan: null, city: 'x' });
    expect(missing).toEqual({ floats: [9, 0, 0, 0, 0, 3, 9], problems: 0, warnings: ['features.plan'] });
    expect(encode({ age: 3, plan: 'zzz', city: 'x' })).toEqual(missing);
    expect(encode({ age: 3, plan: 7, city: 'x' })).toMatchObject({ problems: 1 });
  });
});

describe('a loaded foreign model', () => {
  it('answers single rows and batches by its own output', async () => {
    const model = await loadModel(source);
    model.encoder.encode({ age: 100, plan: 'a', city: 'x' }, model.row, 0);
    expect(await model.predictOne(model.row)).toBeCloseTo(0.2, 6);
    const matrix = new Float32Array(3 * 5);
    ['a', 'b', 'c'].forEach((plan, i) => model.encoder.encode({ age: 0, plan, city: 'y' }, matrix, i * 5));
    expect([...(await model.predictMany(matrix, 3))]).toEqual(
      [0.11, 0.21, 0.31].map((p): unknown => expect.closeTo(p, 6)),
    );
    await model.close();
  });

  it('is not loaded when its golden rows come out otherwise, or its input is another', async () => {
    const wrong = [{ ...golden[0]!, probability: 0.33 }];
    await expect(loadModel({ ...source, manifest: { ...source.manifest, golden: wrong } })).rejects.toMatchObject({
      code: 'artefactCorrupt',
      problems: [{ field: 'golden[0]' }],
    });
    const foreign = { ...binding, output: { name: 'nothing', column: 0 } };
    await expect(loadModel({ ...source, manifest: { ...source.manifest, foreign } })).rejects.toThrow('nothing');
  });

  it('feeds texts as they came, whatever their number, to the row they belong to', async () => {
    const length = onnxFile({
      nodes: [
        node('LabelEncoder', ['word'], ['code'], {
          domain: 'ai.onnx.ml',
          attribute: [
            attribute.texts(
              'keys_strings',
              Array.from({ length: 50 }, (_, i) => `w${i}`),
            ),
            attribute.floats(
              'values_floats',
              Array.from({ length: 50 }, (_, i) => i / 100),
            ),
            attribute.float('default_float', 0.75),
          ],
        }),
      ],
      inputs: [tensor('word', ['n', 1], DataType.STRING)],
      outputs: [tensor('code', ['n', 1])],
    });
    const word = { ...numberFeature('word', flagged), type: 'category', encoding: 'raw' } as const;
    const foreign: ForeignBinding = {
      input: { kind: 'columns', columns: [{ name: 'word', type: 'string', rank: 2 }] },
      output: { name: 'code', column: 0 },
    };
    const own = { ...manifest, signature: { ...signature, features: [word] }, foreign };
    const model = await loadModel({
      onnx: length,
      manifest: { ...own, golden: [{ features: { word: 'w7' }, probability: Math.fround(0.07) }] },
    });
    const ask = (text: string) => {
      expect(model.encoder.encode({ word: text }, model.row, 0)).toMatchObject({ problems: [], warnings: [] });
      return model.predictOne(model.row);
    };
    const words = Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? `never ${i}` : `w${i % 50}`));
    const answers = await Promise.all(words.map(ask));
    expect(answers).toEqual(words.map((w, i): unknown => expect.closeTo(w.startsWith('w') ? (i % 50) / 100 : 0.75, 6)));
    expect(model.encoder.encode({ word: 'x'.repeat(2_000) }, model.row, 0).problems).toHaveLength(1);
    await model.close();
  });
});
