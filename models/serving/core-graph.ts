import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';

const { ModelProto, TensorProto } = proto.onnx;

/**
 * The part of the graph behind the encoders, as a model of its own: `features` becomes the one input, float `[N, F]`.
 * Scoring one row through one float tensor costs a fifth of the run with a tensor per raw column.
 * @throws DomainError `artefactCorrupt` when anything behind the encoders still reads a raw input
 */
export function deriveCoreGraph(model: onnx.IModelProto, featureCount: number): Uint8Array {
  const graph = model.graph ?? {};
  const nodes = neededNodes(graph);
  const tensors = new Set(nodes.flatMap(tensorsReadBy));
  const bypassing = (graph.input ?? []).find((i) => i.name !== ENCODED_TENSOR && tensors.has(i.name ?? ''));
  const constants = (graph.initializer ?? []).filter((t) => tensors.has(t.name ?? ''));
  if (bypassing !== undefined && !constants.some((t) => t.name === bypassing.name)) {
    const message = `the graph reads the raw input ${bypassing.name ?? ''} behind ${ENCODED_TENSOR}`;
    throw new DomainError('artefactCorrupt', `The graph does not follow the artefact convention: ${message}`, [
      { field: ENCODED_TENSOR, message },
    ]);
  }
  return ModelProto.encode({
    ...model,
    graph: {
      name: 'core',
      node: nodes,
      initializer: constants,
      sparseInitializer: graph.sparseInitializer ?? [],
      input: [encodedInput(featureCount)],
      output: graph.output ?? [],
    },
  }).finish();
}

function encodedInput(featureCount: number): onnx.IValueInfoProto {
  return {
    name: ENCODED_TENSOR,
    type: {
      tensorType: {
        elemType: TensorProto.DataType.FLOAT,
        shape: { dim: [{ dimParam: 'N' }, { dimValue: featureCount }] },
      },
    },
  };
}

/** Nodes on a way from `features` (or from constants) to the output, in the file's order, which is topological. */
function neededNodes(graph: onnx.IGraphProto): onnx.INodeProto[] {
  const wanted = new Set<string>([OUTPUT_TENSOR]);
  const kept: onnx.INodeProto[] = [];
  for (const node of [...(graph.node ?? [])].reverse()) {
    const makes = node.output ?? [];
    if (makes.includes(ENCODED_TENSOR) || !makes.some((name) => wanted.has(name))) continue;
    kept.push(node);
    for (const name of tensorsReadBy(node)) wanted.add(name);
  }
  return kept.reverse();
}

/** Names a node reads, those inside the subgraphs of If, Loop and Scan included. */
function tensorsReadBy(node: onnx.INodeProto): string[] {
  const names = [...(node.input ?? [])];
  for (const attribute of node.attribute ?? []) {
    const subgraphs = [...(attribute.g ? [attribute.g] : []), ...(attribute.graphs ?? [])];
    for (const graph of subgraphs) {
      for (const inner of graph.node ?? []) names.push(...tensorsReadBy(inner));
      for (const output of graph.output ?? []) names.push(output.name ?? '');
    }
  }
  return names;
}
