import type { onnx } from 'onnx-proto';

const attribute = (node: onnx.INodeProto, name: string): onnx.IAttributeProto | undefined =>
  node.attribute?.find((a) => a.name === name);

/** Numbers of a decoded int64 list; the decoder gives large-number objects. */
export function plainInts(values: readonly (number | Long)[] | null | undefined): readonly number[] {
  return (values ?? []).map((v) => (typeof v === 'number' ? v : v.toNumber()));
}

type Long = Extract<NonNullable<onnx.IAttributeProto['i']>, object>;

export const attributeInts = (node: onnx.INodeProto, name: string): readonly number[] =>
  plainInts(attribute(node, name)?.ints);

export const attributeNumbers = (node: onnx.INodeProto, name: string): readonly number[] =>
  attribute(node, name)?.floats ?? [];

export const attributeTexts = (node: onnx.INodeProto, name: string): readonly string[] =>
  (attribute(node, name)?.strings ?? []).map((s) => Buffer.from(s).toString('utf8'));
