import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { CATEGORY_MISSING, CATEGORY_UNKNOWN, ENCODED_TENSOR } from '../../domain/encoding.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import { attribute, ML_DOMAIN, node, tensorInfo } from './graph.ts';

const { FLOAT, STRING } = proto.onnx.TensorProto.DataType;

/**
 * The front of every artefact: one input `[N, 1]` per feature in signature order, category names to codes as
 * `domain/encoding.ts` says, side by side in the tensor `features`.
 */
export function rawInputs(features: readonly FeatureSpec[]): {
  readonly inputs: readonly onnx.IValueInfoProto[];
  readonly nodes: readonly onnx.INodeProto[];
} {
  const categories = features.filter((f) => f.type === 'category');
  const columns = features.map((f) => (f.type === 'category' ? encodedName(f) : f.name));
  return {
    inputs: features.map((f) => tensorInfo(f.name, f.type === 'category' ? STRING : FLOAT)),
    nodes: [...categories.map(encoder), node('Concat', columns, ENCODED_TENSOR, [attribute.int('axis', 1)])],
  };
}

const encodedName = (feature: FeatureSpec): string => `encoded/${feature.name}`;

function encoder(feature: FeatureSpec): onnx.INodeProto {
  const categories = feature.categories ?? [];
  const attributes = [
    // A blank is how a missing category looks among strings.
    attribute.texts('keys_strings', [...categories, '']),
    attribute.floats('values_floats', [...categories.keys(), CATEGORY_MISSING]),
    attribute.float('default_float', CATEGORY_UNKNOWN),
  ];
  return node('LabelEncoder', [feature.name], encodedName(feature), attributes, ML_DOMAIN);
}
