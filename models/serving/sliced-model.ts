import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { splitFields } from './wire-fields.ts';
import type { WireField } from './wire-fields.ts';

const { NodeProto, ValueInfoProto } = proto.onnx;

/** Field numbers of onnx.proto3, as far as they are read here. */
export const FIELDS = {
  model: { graph: 7 },
  graph: { node: 1, name: 2, initializer: 5, input: 11, output: 12, sparseInitializer: 15 },
  node: { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 },
  attribute: { graph: 6, graphs: 11 },
  tensor: { name: 8 },
} as const;

/** A node as names and bytes; its attributes, which hold the trees and weights, stay undecoded. */
export interface SlicedNode {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Inputs, and what the subgraphs of If, Loop and Scan read from outside. */
  readonly reads: readonly string[];
  readonly raw: Uint8Array;
  /** Decodes the node to get at one attribute. */
  readonly attribute: (name: string) => onnx.IAttributeProto | undefined;
}

/** An ONNX file with its large parts as slices of the given bytes. */
export interface SlicedModel {
  /** Fields of the model beside the graph: versions of format and operators, metadata. */
  readonly around: readonly Uint8Array[];
  readonly nodes: readonly SlicedNode[];
  readonly constants: readonly { readonly name: string; readonly raw: Uint8Array }[];
  readonly sparseConstants: readonly Uint8Array[];
  readonly inputs: readonly onnx.IValueInfoProto[];
  readonly outputs: readonly { readonly info: onnx.IValueInfoProto; readonly raw: Uint8Array }[];
}

/** @throws Error of the decoders when the bytes are no ONNX model */
export function sliceModel(bytes: Uint8Array): SlicedModel {
  const fields = splitFields(bytes);
  const graphs = fields.filter((f) => f.field === FIELDS.model.graph);
  const [graph] = graphs;
  if (graph === undefined || graphs.length > 1) throw new RangeError('it does not hold one graph');
  const around = fields.filter((f) => f !== graph).map((f) => f.raw);
  return { around, ...sliceGraph(graph.payload) };
}

function sliceGraph(bytes: Uint8Array): Omit<SlicedModel, 'around'> {
  const fields = splitFields(bytes);
  const of = (field: number) => fields.filter((f) => f.field === field);
  const nodes = of(FIELDS.graph.node).map(sliceNode);
  if (nodes.length === 0) throw new RangeError('its graph holds no node');
  return {
    nodes,
    constants: of(FIELDS.graph.initializer).map((f) => ({
      name: firstText(splitFields(f.payload), FIELDS.tensor.name),
      raw: f.raw,
    })),
    sparseConstants: of(FIELDS.graph.sparseInitializer).map((f) => f.raw),
    inputs: of(FIELDS.graph.input).map((f) => ValueInfoProto.decode(f.payload)),
    outputs: of(FIELDS.graph.output).map((f) => ({ info: ValueInfoProto.decode(f.payload), raw: f.raw })),
  };
}

function sliceNode({ payload, raw }: WireField): SlicedNode {
  const fields = splitFields(payload);
  const inputs = texts(fields, FIELDS.node.input);
  const attributes = fields.filter((f) => f.field === FIELDS.node.attribute);
  return {
    opType: firstText(fields, FIELDS.node.opType),
    domain: firstText(fields, FIELDS.node.domain),
    inputs,
    outputs: texts(fields, FIELDS.node.output),
    reads: [...inputs, ...attributes.flatMap((a) => subgraphReads(a.payload))],
    raw,
    attribute: (name) => NodeProto.decode(payload).attribute.find((a) => a.name === name),
  };
}

/** Also names that the subgraph makes itself: keeping too much is harmless. */
function subgraphReads(attribute: Uint8Array): readonly string[] {
  return splitFields(attribute)
    .filter((f) => f.field === FIELDS.attribute.graph || f.field === FIELDS.attribute.graphs)
    .flatMap((f) => {
      const { nodes, outputs } = sliceGraph(f.payload);
      return [...nodes.flatMap((n) => n.reads), ...outputs.map((o) => o.info.name ?? '')];
    });
}

function texts(fields: readonly WireField[], field: number): readonly string[] {
  return fields.filter((f) => f.field === field).map((f) => Buffer.from(f.payload).toString('utf8'));
}

function firstText(fields: readonly WireField[], field: number): string {
  return texts(fields, field)[0] ?? '';
}
