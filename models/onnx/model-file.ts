import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import { BACKGROUND_KEY, writeBackground } from '../explain/background.ts';
import type { Background } from '../explain/background.ts';
import { ML_DOMAIN, tensorInfo } from './graph.ts';
import type { GraphPart } from './graph.ts';
import { rawInputs } from './raw-inputs.ts';

const { ModelProto, TensorProto } = proto.onnx;

/** What serving, checking and every runtime of the last years can read. */
const IR_VERSION = 8;
const OPSET = 17;
const ML_OPSET = 3;

/**
 * Puts the raw named inputs before `scorer`, which reads the tensor `features` and makes `probability`. The same
 * arguments give the same bytes.
 * @param background what explanations need to know of the training rows; `null`: they will be refused
 * @throws DomainError `invalidInput` when a feature has the name of a tensor inside the graph
 */
export function writeModel(
  features: readonly FeatureSpec[],
  scorer: GraphPart,
  background: Background | null,
): Uint8Array {
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
      output: [tensorInfo(OUTPUT_TENSOR, TensorProto.DataType.FLOAT)],
    },
    metadataProps: background === null ? [] : [{ key: BACKGROUND_KEY, value: writeBackground(background) }],
  };
  return ModelProto.encode(model).finish();
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
