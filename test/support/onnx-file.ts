/** ONNX files for tests, node by node: also such as no exporter would write. */
import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';

const { AttributeProto, ModelProto, TensorProto } = proto.onnx;
export const { AttributeType } = AttributeProto;
export const { DataType, DataLocation } = TensorProto;

type Dim = number | string;

export interface OnnxFileOptions {
  readonly nodes?: readonly onnx.INodeProto[];
  readonly inputs?: readonly onnx.IValueInfoProto[];
  readonly outputs?: readonly onnx.IValueInfoProto[];
  readonly constants?: readonly onnx.ITensorProto[];
  /** Version by domain. */
  readonly opsets?: Readonly<Record<string, number>>;
  readonly irVersion?: number;
}

/** Default: `probability = sigmoid(input)`, one column. */
export function onnxFile(options: OnnxFileOptions = {}): Buffer {
  const opsets = options.opsets ?? { '': 17, 'ai.onnx.ml': 3 };
  const model: onnx.IModelProto = {
    irVersion: options.irVersion ?? 8,
    producerName: 'test',
    opsetImport: Object.entries(opsets).map(([domain, version]) => ({ domain, version })),
    graph: {
      name: 'g',
      node: [...(options.nodes ?? [node('Sigmoid', ['input'], ['probability'])])],
      input: [...(options.inputs ?? [tensor('input', ['n', 1])])],
      output: [...(options.outputs ?? [tensor('probability', ['n', 1])])],
      initializer: [...(options.constants ?? [])],
    },
  };
  return Buffer.from(ModelProto.encode(model).finish());
}

export const tensor = (name: string, dims: readonly Dim[], elemType: number = DataType.FLOAT): onnx.IValueInfoProto => {
  const dim = dims.map((d) => (typeof d === 'string' ? { dimParam: d } : { dimValue: d }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
};

export const node = (
  opType: string,
  input: readonly string[],
  output: readonly string[],
  extra: Partial<onnx.INodeProto> = {},
): onnx.INodeProto => ({ opType, input: [...input], output: [...output], name: output.join('_'), ...extra });

export const floats = (name: string, dims: readonly number[], values: readonly number[]): onnx.ITensorProto => ({
  name,
  dims: [...dims],
  dataType: DataType.FLOAT,
  floatData: [...values],
});

export const int64s = (name: string, values: readonly number[]): onnx.ITensorProto => ({
  name,
  dims: [values.length],
  dataType: DataType.INT64,
  int64Data: [...values],
});
