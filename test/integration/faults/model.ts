import type { FaultModel } from '../../../bench/faults/fault-api.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { definition } from '../db/fixture.ts';

/** Small, so that what is tested is the platform. */
export function faultModel(): FaultModel {
  const { onnx, manifest } = tinyModel({ weights: [0], bias: 0.1, link: 'identity' });
  return { definition: definition('m'), onnx, manifest, features: { x: 1 } };
}
