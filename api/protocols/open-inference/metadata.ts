import type { Signature } from '../../../domain/signature.ts';
import type { ServedModel } from '../../serving/contract.ts';
import { OUTPUT_METADATA } from './infer-answer.ts';
import { DATATYPE_OF } from './infer-rows.ts';

const EXTENSIONS = ['binary_tensor_data', 'model_repository'];

export const describeServer = (version: string) => ({ name: 'sluice', version, extensions: EXTENSIONS });

/** One input per raw feature. `-1` is the number of rows. */
export function describeModel({ model, routes }: ServedModel, { features }: Signature) {
  return {
    name: model,
    versions: routes.map((r) => String(r.version)),
    platform: 'onnxruntime_onnx',
    inputs: features.map(({ name, type }) => ({ name, datatype: DATATYPE_OF[type], shape: [-1, 1] })),
    outputs: OUTPUT_METADATA,
  };
}
