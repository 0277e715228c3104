import proto from 'onnx-proto';
import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import { FIELDS } from './sliced-model.ts';
import type { SlicedModel, SlicedNode } from './sliced-model.ts';
import { concatBytes, delimitedField } from './wire-fields.ts';

const { TensorProto, ValueInfoProto } = proto.onnx;

/**
 * The part of the graph behind the encoders, as a model of its own: `features` becomes the one input, float `[N, F]`.
 * Scoring one row through one float tensor costs a fifth of the run with a tensor per raw column. Nodes and constants
 * are copied byte for byte.
 * @throws DomainError `artefactCorrupt` when anything behind the encoders still reads a raw input
 */
export function deriveCoreGraph(model: SlicedModel, featureCount: number): Uint8Array {
  const nodes = neededNodes(model.nodes);
  const tensors = new Set(nodes.flatMap((node) => node.reads));
  const constants = model.constants.filter((constant) => tensors.has(constant.name));
  const constantNames = new Set(constants.map((constant) => constant.name));
  const bypassing = model.inputs.find(({ name }) => tensors.has(name ?? '') && !constantNames.has(name ?? ''));
  if (bypassing !== undefined) {
    const message = `the graph reads the raw input ${bypassing.name ?? ''} behind ${ENCODED_TENSOR}`;
    throw new DomainError('artefactCorrupt', `The graph does not follow the artefact convention: ${message}`, [
      { field: ENCODED_TENSOR, message },
    ]);
  }
  const graph = delimitedField(FIELDS.model.graph, [
    ...nodes.map((node) => node.raw),
    delimitedField(FIELDS.graph.name, [new TextEncoder().encode('core')]),
    ...constants.map((constant) => constant.raw),
    encodedInput(featureCount),
    ...model.outputs.map((output) => output.raw),
    ...model.sparseConstants,
  ]);
  return concatBytes([...model.around, graph]);
}

function encodedInput(featureCount: number): Uint8Array {
  const shape = { dim: [{ dimParam: 'N' }, { dimValue: featureCount }] };
  const type = { tensorType: { elemType: TensorProto.DataType.FLOAT, shape } };
  return delimitedField(FIELDS.graph.input, [ValueInfoProto.encode({ name: ENCODED_TENSOR, type }).finish()]);
}

/** Nodes on a way from `features` (or from constants) to the output, in the file's order, which is topological. */
function neededNodes(nodes: readonly SlicedNode[]): SlicedNode[] {
  const wanted = new Set<string>([OUTPUT_TENSOR]);
  const kept: SlicedNode[] = [];
  for (const node of [...nodes].reverse()) {
    if (node.outputs.includes(ENCODED_TENSOR) || !node.outputs.some((name) => wanted.has(name))) continue;
    kept.push(node);
    for (const name of node.reads) wanted.add(name);
  }
  return kept.reverse();
}
