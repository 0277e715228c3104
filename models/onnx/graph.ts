import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';

const { AttributeProto, TensorProto } = proto.onnx;
const { FLOAT, DOUBLE, INT64 } = TensorProto.DataType;
const { INT, STRING, INTS, FLOATS, STRINGS } = AttributeProto.AttributeType;

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

/** A column `[N, 1]`. */
export function tensorInfo(name: string, elemType: number): onnx.IValueInfoProto {
  return { name, type: { tensorType: { elemType, shape: { dim: [{ dimParam: 'N' }, { dimValue: 1 }] } } } };
}
