/** Tiny models by the artefact convention, for tests: real ONNX files with a formula one can compute by hand. */
import { createHash } from 'node:crypto';
import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { CATEGORY_MISSING, CATEGORY_UNKNOWN, ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import type { FeatureSpec, FeatureValue, Signature } from '../../domain/signature.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';

const { ModelProto, TensorProto, AttributeProto } = proto.onnx;
const FLOAT = TensorProto.DataType.FLOAT;

type Row = Readonly<Record<string, FeatureValue>>;

export interface TinyModelOptions {
  readonly features?: readonly FeatureSpec[];
  /** One weight per feature, in signature order. Missing numbers count as 0. Default: all 1. */
  readonly weights?: readonly number[];
  readonly bias?: number;
  /** `identity` answers the sum itself: for tests that must tell every row's answer apart. Default `sigmoid`. */
  readonly link?: 'sigmoid' | 'identity';
  /** The run fails inside onnxruntime when any row's first feature is at least this (a whole number). */
  readonly failsFrom?: number;
  /** Each run multiplies two square matrices of this many rows first: 800 take some ten milliseconds. */
  readonly burns?: number;
  readonly golden?: readonly Row[];
  readonly signature?: Partial<Signature>;
}

export interface TinyModel {
  readonly onnx: Uint8Array;
  readonly signature: Signature;
  readonly manifest: ArtefactManifest;
  /** What the model answers for a row, computed in JavaScript. */
  readonly expected: (row: Row) => number;
}

export const numberFeature = (name: string, extra: Partial<FeatureSpec> = {}): FeatureSpec => ({
  name,
  type: 'number',
  missing: 'reject',
  unknown: 'reject',
  outOfRange: 'reject',
  ...extra,
});
export const categoryFeature = (
  name: string,
  categories: readonly string[],
  extra: Partial<FeatureSpec> = {},
): FeatureSpec => ({ ...numberFeature(name), type: 'category', categories, ...extra });
export const booleanFeature = (name: string, extra: Partial<FeatureSpec> = {}): FeatureSpec => ({
  ...numberFeature(name),
  type: 'boolean',
  ...extra,
});

/** Default: one number feature `x`, probability = sigmoid(x). */
export function tinyModel(options: TinyModelOptions = {}): TinyModel {
  const features = options.features ?? [numberFeature('x')];
  const weights = options.weights ?? features.map(() => 1);
  const bias = options.bias ?? 0;
  const signature: Signature = {
    features,
    entity: 'id',
    target: { column: 'target', positive: 'yes', negative: 'no' },
    threshold: 0.5,
    risk: { medium: 0.3, high: 0.7 },
    ...options.signature,
  };
  const sum = (row: Row) =>
    features.reduce((acc, f, i) => acc + (weights[i] ?? 0) * code(f, row[f.name] ?? null), bias);
  const expected = (row: Row) => (options.link === 'identity' ? sum(row) : 1 / (1 + Math.exp(-sum(row))));
  const golden = options.golden ?? [defaultRow(features)];
  const onnx = ModelProto.encode(buildGraph(features, weights, bias, options)).finish();
  return { onnx, signature, expected, manifest: manifestOf(onnx, signature, golden, expected) };
}

function manifestOf(
  onnx: Uint8Array,
  signature: Signature,
  golden: readonly Row[],
  expected: (row: Row) => number,
): ArtefactManifest {
  const metrics = { auc: 0.5, prAuc: 0.5, logLoss: 0.7, accuracy: 0.5, brier: 0.25, ece: 0 };
  return {
    formatVersion: 1,
    model: 'tiny',
    algorithm: 'spline-logistic',
    onnx: { digest: createHash('sha256').update(onnx).digest('hex'), bytes: onnx.byteLength },
    signature,
    evaluation: {
      ...metrics,
      rows: 2,
      positives: 1,
      threshold: signature.threshold,
      confusion: { truePositive: 1, falsePositive: 0, trueNegative: 1, falseNegative: 0 },
    },
    holdout: { digest: '0'.repeat(64), rows: 2 },
    golden: golden.map((row) => ({ features: row, probability: expected(row) })),
  };
}

function defaultRow(features: readonly FeatureSpec[]): Row {
  return Object.fromEntries(
    features.map((f) => [
      f.name,
      f.type === 'category' ? (f.categories?.[0] ?? '') : f.type === 'boolean' ? true : (f.min ?? 0),
    ]),
  );
}

function code(spec: FeatureSpec, value: FeatureValue): number {
  if (spec.type !== 'category') return Number(value ?? 0);
  if (value === null || value === '') return CATEGORY_MISSING;
  const index = (spec.categories ?? []).indexOf(String(value));
  return index === -1 ? CATEGORY_UNKNOWN : index;
}

function buildGraph(
  features: readonly FeatureSpec[],
  weights: readonly number[],
  bias: number,
  options: TinyModelOptions,
): onnx.IModelProto {
  const columns = features.map((f) => (f.type === 'category' ? `${f.name}_code` : f.name));
  const encoders = features.flatMap((f, i) => (f.type === 'category' ? [labelEncoder(f, columns[i] ?? '')] : []));
  const tail =
    options.link === 'identity'
      ? node('Identity', ['sum'], [OUTPUT_TENSOR])
      : node('Sigmoid', ['sum'], [OUTPUT_TENSOR]);
  const nodes = [
    ...encoders,
    node('Concat', columns, [ENCODED_TENSOR], [intAttribute('axis', 1)]),
    node('IsNaN', [ENCODED_TENSOR], ['absent']),
    node('Where', ['absent', 'zero', ENCODED_TENSOR], ['filled']),
    node('MatMul', ['filled', 'weights'], ['product']),
    ...burningNodes(options.burns),
    node(
      'Add',
      [options.burns === undefined ? 'product' : 'burnt', 'bias'],
      [options.failsFrom === undefined ? 'sum' : 'unchecked'],
    ),
    ...(options.failsFrom === undefined ? [] : failingNodes()),
    tail,
  ];
  return {
    irVersion: 8,
    producerName: 'sluice-test',
    opsetImport: [
      { domain: '', version: 17 },
      { domain: 'ai.onnx.ml', version: 3 },
    ],
    graph: {
      name: 'tiny',
      node: nodes,
      input: features.map((f) => valueInfo(f.name, f.type === 'category' ? TensorProto.DataType.STRING : FLOAT)),
      output: [valueInfo(OUTPUT_TENSOR, FLOAT)],
      initializer: [
        { name: 'zero', dataType: FLOAT, dims: [], floatData: [0] },
        { name: 'weights', dataType: FLOAT, dims: [features.length, 1], floatData: [...weights] },
        { name: 'bias', dataType: FLOAT, dims: [1], floatData: [bias] },
        ...failingConstants(options.failsFrom),
        ...burningConstants(options.burns),
      ],
    },
  };
}

/** Looks the first feature up in a table of `failsFrom` zeros: from there on the index is out of bounds. */
function failingNodes(): onnx.INodeProto[] {
  return [
    node('Gather', ['filled', 'first'], ['head'], [intAttribute('axis', 1)]),
    node('Cast', ['head'], ['index'], [intAttribute('to', TensorProto.DataType.INT64)]),
    node('Gather', ['table', 'index'], ['looked'], [intAttribute('axis', 0)]),
    node('Add', ['unchecked', 'looked'], ['sum']),
  ];
}

/** Of the rows themselves, so that no optimiser does it beforehand; adds nothing to the answer. */
function burningNodes(burns: number | undefined): onnx.INodeProto[] {
  if (burns === undefined) return [];
  return [
    node('ReduceMean', ['filled'], ['mean'], [intAttribute('keepdims', 0)]),
    node('Expand', ['mean', 'square'], ['matrix']),
    node('MatMul', ['matrix', 'matrix'], ['power']),
    node('ReduceMean', ['power'], ['warmth'], [intAttribute('keepdims', 0)]),
    node('Mul', ['warmth', 'zero'], ['nothing']),
    node('Add', ['product', 'nothing'], ['burnt']),
  ];
}

function burningConstants(burns: number | undefined): onnx.ITensorProto[] {
  if (burns === undefined) return [];
  return [{ name: 'square', dataType: TensorProto.DataType.INT64, dims: [2], int64Data: [burns, burns] }];
}

function failingConstants(failsFrom: number | undefined): onnx.ITensorProto[] {
  if (failsFrom === undefined) return [];
  return [
    { name: 'first', dataType: TensorProto.DataType.INT64, dims: [1], int64Data: [0] },
    { name: 'table', dataType: FLOAT, dims: [failsFrom], floatData: new Array<number>(failsFrom).fill(0) },
  ];
}

function labelEncoder(spec: FeatureSpec, output: string): onnx.INodeProto {
  const categories = spec.categories ?? [];
  return {
    ...node('LabelEncoder', [spec.name], [output]),
    domain: 'ai.onnx.ml',
    attribute: [
      {
        name: 'keys_strings',
        type: AttributeProto.AttributeType.STRINGS,
        strings: [...categories, ''].map((c) => Buffer.from(c, 'utf8')),
      },
      {
        name: 'values_floats',
        type: AttributeProto.AttributeType.FLOATS,
        floats: [...categories.map((_, i) => i), CATEGORY_MISSING],
      },
      { name: 'default_float', type: AttributeProto.AttributeType.FLOAT, f: CATEGORY_UNKNOWN },
    ],
  };
}

function node(
  opType: string,
  input: readonly string[],
  output: readonly string[],
  attribute: onnx.IAttributeProto[] = [],
): onnx.INodeProto {
  return { opType, input: [...input], output: [...output], name: `${opType}_${output.join('_')}`, attribute };
}

const intAttribute = (name: string, i: number): onnx.IAttributeProto => ({
  name,
  type: AttributeProto.AttributeType.INT,
  i,
});

function valueInfo(name: string, elemType: number): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: [{ dimParam: 'N' }, { dimValue: 1 }] } } } };
}
