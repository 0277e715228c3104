import { describe, expect, it } from 'vitest';
import { attribute } from '../../../../models/onnx/graph.ts';
import { examineHere, findingsOf, modelOf } from '../../../support/examine-here.ts';
import { DataType, floats, int64s, node, onnxFile, tensor } from '../../../support/onnx-file.ts';
import type { OnnxFileOptions } from '../../../support/onnx-file.ts';

/** `input` of `width` columns, summed and squashed. */
const summing = (width: number, elemType: number = DataType.FLOAT): OnnxFileOptions => ({
  nodes: [
    node('Cast', ['input'], ['cast'], { attribute: [attribute.int('to', DataType.FLOAT)] }),
    node('MatMul', ['cast', 'ones'], ['logit']),
    node('Sigmoid', ['logit'], ['probability']),
  ],
  inputs: [tensor('input', ['n', width], elemType)],
  constants: [
    floats(
      'ones',
      [width, 1],
      Array.from({ length: width }, () => 1),
    ),
  ],
});

describe('a graph that is refused when it is tried', () => {
  it('for an operator that does not exist', async () => {
    const [finding] = await findingsOf({ nodes: [node('Foo', ['input'], ['probability'])] });
    expect(finding).toMatchObject({ check: 'operators', message: 'The operator Foo is not known here' });
  });

  it('for giving labels and no probabilities', async () => {
    const [finding] = await findingsOf({
      nodes: [node('Cast', ['input'], ['label'], { attribute: [attribute.int('to', DataType.INT64)] })],
      outputs: [tensor('label', ['n', 1], DataType.INT64)],
    });
    expect(finding).toMatchObject({ check: 'output', message: expect.stringContaining('label is int64 [3, 1]') });
  });

  it('for giving scores that are no probabilities', async () => {
    const [finding] = await findingsOf({ nodes: [node('Identity', ['input'], ['probability'])] });
    expect(finding).toMatchObject({ check: 'output', fix: expect.stringContaining('torch.nn.Sigmoid()') });
  });

  it('for taking one row alone although its shape says otherwise', async () => {
    const [finding] = await findingsOf({
      nodes: [node('Reshape', ['input', 'one'], ['flat']), node('Sigmoid', ['flat'], ['probability'])],
      inputs: [tensor('input', ['n', 2])],
      constants: [int64s('one', [1, 2])],
    });
    expect(finding).toMatchObject({ check: 'batch', fix: expect.stringContaining('dynamic_axes') });
  });

  it("for answers that depend on other callers' rows", async () => {
    const [finding] = await findingsOf({
      nodes: [
        node('ReduceMean', ['input'], ['mean']),
        node('Sub', ['input', 'mean'], ['centred']),
        node('Sigmoid', ['centred'], ['probability']),
      ],
    });
    expect(finding).toMatchObject({ check: 'batch', message: expect.stringContaining('answers would mix') });
  });

  it('for a signature that does not fill its matrix', async () => {
    const signature = 'features: [{ name: a }, { name: b, type: category, encoding: oneHot, categories: [x, y] }]';
    const [finding] = await findingsOf(summing(4), { signature });
    expect(finding).toMatchObject({
      check: 'signature',
      message: 'The features of the signature fill 3 columns, the input input has 4 (a at 0, b at 1)',
    });
  });

  it('for a signature of other names and types than its inputs', async () => {
    const file = { inputs: [tensor('age', ['n', 1]), tensor('plan', ['n', 1], DataType.STRING)] };
    const names = await findingsOf(file, { signature: 'features: [{ name: age }, { name: plam, type: category }]' });
    expect(names.map((f) => f.message)).toEqual([
      "The input plan is not among the signature's features",
      'The feature plam is no input of the graph',
    ]);
    const types = await findingsOf(file, { signature: 'features: [{ name: age, type: boolean }, { name: plan }]' });
    expect(types).toMatchObject([
      { message: 'The input plan takes string, which is no number', fix: 'type: category for plan' },
    ]);
  });

  it('for whole numbers that are said to be missing at times', async () => {
    const signature = 'features: [{ name: a, type: integer, missing: flag }, { name: b, type: integer }]';
    const [finding] = await findingsOf(summing(2, DataType.INT64), { signature });
    expect(finding).toMatchObject({ check: 'signature', fix: 'missing: reject for a' });
  });
});

describe('a graph that is taken', () => {
  it('has a signature, golden rows and its latency by batch size', { timeout: 30_000 }, async () => {
    const examined = await examineHere(onnxFile(summing(3)));
    if (!examined.ok) throw new Error(JSON.stringify(examined.findings));
    const { model, stages } = examined;
    expect(model.signature.features.map((f) => f.name)).toEqual(['f0', 'f1', 'f2']);
    expect(model.foreign).toEqual({
      input: { kind: 'matrix', name: 'input', type: 'float32' },
      output: { name: 'probability', column: 0 },
    });
    expect(model.golden).toHaveLength(24);
    expect(new Set(model.golden.map((g) => g.probability)).size).toBe(24);
    const [first] = model.golden;
    const sum = Object.values(first!.features).reduce<number>((total, v) => total + Number(v), 0);
    expect(first!.probability).toBeCloseTo(1 / (1 + Math.exp(-sum)), 6);
    expect(model.latency.map((l) => l.rows)).toEqual([1, 8, 64, 256, 1000]);
    expect(model.latency.every((l) => l.p50Ms > 0 && l.p95Ms >= l.p50Ms)).toBe(true);
    expect(stages).toEqual(['reading', 'loading', 'running', 'measuring']);
  });

  it('of doubles, whole numbers and truth values is fed what it takes', { timeout: 60_000 }, async () => {
    for (const [type, feature] of [
      [DataType.DOUBLE, 'number'],
      [DataType.INT32, 'integer'],
      [DataType.INT64, 'integer'],
    ] as const) {
      const { signature } = await modelOf(summing(2, type));
      expect(signature.features[0]).toMatchObject({ type: feature });
    }
    const { signature } = await modelOf(summing(1, DataType.BOOL));
    expect(signature.features).toMatchObject([{ name: 'input', type: 'boolean', missing: 'reject' }]);
  });

  it(
    'takes missing values where the graph makes a number of them, and refuses them elsewhere',
    { timeout: 30_000 },
    async () => {
      const filled = await modelOf({
        nodes: [
          node('IsNaN', ['input'], ['gap']),
          node('Where', ['gap', 'zero', 'input'], ['filled']),
          node('Sigmoid', ['filled'], ['probability']),
        ],
        constants: [floats('zero', [1], [0])],
      });
      expect(filled.signature.features[0]).toMatchObject({ missing: 'flag' });
      expect(filled.golden.at(-1)).toEqual({ features: { input: null }, probability: 0.5 });
      expect((await modelOf({})).signature.features[0]).toMatchObject({ missing: 'reject' });
    },
  );

  it('says when any text is let through', { timeout: 30_000 }, async () => {
    const file: OnnxFileOptions = {
      nodes: [
        node('TfIdfVectorizer', ['word'], ['count'], {
          attribute: [
            attribute.text('mode', 'TF'),
            attribute.int('min_gram_length', 1),
            attribute.int('max_gram_length', 1),
            attribute.int('max_skip_count', 0),
            attribute.ints('ngram_counts', [0]),
            attribute.ints('ngram_indexes', [0]),
            attribute.texts('pool_strings', ['gold']),
          ],
        }),
        node('Sigmoid', ['count'], ['probability']),
      ],
      inputs: [tensor('word', ['n', 1], DataType.STRING)],
    };
    const examined = await examineHere(onnxFile(file));
    expect(examined.findings).toMatchObject([
      {},
      { severity: 'warning', message: expect.stringContaining('categories of word') },
    ]);
    expect(examined).toMatchObject({
      ok: true,
      model: { signature: { features: [{ name: 'word', type: 'category', unknown: 'flag' }] } },
    });
  });
});
