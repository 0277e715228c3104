import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import { rawInputs } from './raw-inputs.ts';

const { AttributeProto, ModelProto, TensorProto } = proto.onnx;
const { FLOAT, DOUBLE, INT64 } = TensorProto.DataType;
const { INT, STRING, INTS, FLOATS, STRINGS } = AttributeProto.AttributeType;

/** What serving, checking and every runtime of the last years can read. */
const IR_VERSION = 8;
const OPSET = 17;
const ML_OPSET = 3;
export const ML_DOMAIN = 'ai.onnx.ml';

/** A part of a graph: nodes in order of computation, and the constants they read. */
export interface GraphPart {
  readonly nodes: readonly onnx.INodeProto[];
  readonly constants: readonly onnx.ITensorProto[];
}

export const attribute = {
  int: (name: string, i: number): onnx.IAttributeProto => ({ name, type: INT, i }),
  float: (name: string, f: number): onnx.IAttributeProto => ({ name, type: AttributeProto.AttributeType.FLOAT, f }),
  text: (name: string, s: string): onnx.IAttributeProto => ({ name, type: STRING, s: Buffer.from(s) }),
  ints: (name: string, ints: number[]): onnx.IAttributeProto => ({ name, type: INTS, ints }),
  floats: (name: string, floats: number[]): onnx.IAttributeProto => ({ name, type: FLOATS, floats }),
  texts: (name: string, texts: readonly string[]): onnx.IAttributeProto => ({
    name,
    type: STRINGS,
    strings: texts.map((t) => Buffer.from(t)),
  }),
};

export const constant = {
  doubles: (name: string, dims: number[], doubleData: number[]): onnx.ITensorProto => ({
    name,
    dims,
    dataType: DOUBLE,
    doubleData,
  }),
  ints: (name: string, dims: number[], int64Data: number[]): onnx.ITensorProto => ({
    name,
    dims,
    dataType: INT64,
    int64Data,
  }),
};

/** A node with one output; its name is the output's. */
export function node(
  opType: string,
  input: readonly string[],
  output: string,
  attributes: readonly onnx.IAttributeProto[] = [],
  domain = '',
): onnx.INodeProto {
  return { opType, input: [...input], output: [output], name: output, attribute: [...attributes], domain };
}

export function cast(input: string, output: string, type: 'float' | 'double'): onnx.INodeProto {
  return node('Cast', [input], output, [attribute.int('to', type === 'float' ? FLOAT : DOUBLE)]);
}

/**
 * Puts the raw named inputs before `scorer`, which reads the tensor `features` and makes `probability`. The same
 * arguments give the same bytes.
 * @throws DomainError `invalidInput` when a feature has the name of a tensor inside the graph
 */
export function writeModel(features: readonly FeatureSpec[], scorer: GraphPart): Uint8Array {
  const front = rawInputs(features);
  const nodes = [...front.nodes, ...scorer.nodes];
  refuseCollisions(features, nodes, scorer.constants);
  const model: onnx.IModelProto = {
    irVersion: IR_VERSION,
    producerName: 'sluice',
    opsetImport: [
      { domain: '', version: OPSET },
      { domain: ML_DOMAIN, version: ML_OPSET },
    ],
    graph: {
      name: 'model',
      node: nodes,
      initializer: [...scorer.constants],
      input: [...front.inputs],
      output: [tensorInfo(OUTPUT_TENSOR, FLOAT)],
    },
  };
  return ModelProto.encode(model).finish();
}

/** A column `[N, 1]`. */
export function tensorInfo(name: string, elemType: number): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: [{ dimParam: 'N' }, { dimValue: 1 }] } } } };
}

function refuseCollisions(
  features: readonly FeatureSpec[],
  nodes: readonly onnx.INodeProto[],
  constants: readonly onnx.ITensorProto[],
): void {
  const taken = new Set([...nodes.flatMap((n) => n.output ?? []), ...constants.map((c) => c.name)]);
  const problems = features
    .filter((f) => taken.has(f.name))
    .map((f) => ({
      field: `features.${f.name}`,
      message: 'this name is used inside the model file; rename the column',
    }));
  if (problems.length > 0) throw new DomainError('invalidInput', 'Feature names collide with the model file', problems);
}
