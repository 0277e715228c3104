import proto from 'onnx-proto';
import type { onnx } from 'onnx-proto';
import { concatBytes, splitFields } from '../serving/wire-fields.ts';
import type { WireField } from '../serving/wire-fields.ts';
import { GRAPH_DEPTH_MAX, NODES_MAX } from './limits.ts';

const { ModelProto, NodeProto, TensorProto, ValueInfoProto } = proto.onnx;

/** Field numbers of onnx.proto3. */
const MODEL = { graph: 7, functions: 25 } as const;
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, sparseInitializer: 15 } as const;
const NODE = { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { tensor: 5, graph: 6, tensors: 10, graphs: 11, sparseTensor: 22, sparseTensors: 23 } as const;
const SPARSE = { values: 1, indices: 2 } as const;
const TENSOR = { dims: 1, type: 2, name: 8, externalData: 13, dataLocation: 14 } as const;

export interface GraphNode {
  readonly opType: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Decodes the whole node: trees are large. */
  readonly attribute: (name: string) => onnx.IAttributeProto | undefined;
}

export interface GraphFacts {
  readonly irVersion: number;
  /** For example `skl2onnx 1.19.1`. */
  readonly producer: string;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  /** Of the graph itself, without those of graphs within it. */
  readonly nodes: readonly GraphNode[];
  /** `domain/operator` of every node, at every depth. */
  readonly operators: ReadonlySet<string>;
  /** Constants by name, decoded at the first look. */
  readonly constant: (name: string) => onnx.ITensorProto | undefined;
  /** Tensors whose data lies in another file. */
  readonly external: readonly string[];
  readonly functions: number;
  /** What a caller feeds: old files list constants among the inputs too. */
  readonly inputs: readonly onnx.IValueInfoProto[];
  readonly outputs: readonly onnx.IValueInfoProto[];
}

interface Seen {
  readonly operators: Set<string>;
  readonly external: string[];
  nodes: number;
}

/**
 * The outline of an ONNX file, read field by field: nothing is decoded as a whole, and nesting and counts are bounded.
 * @throws RangeError or an error of the decoder when the bytes are no ONNX model
 */
export function readGraph(bytes: Uint8Array): GraphFacts {
  const fields = splitFields(bytes);
  const graphs = fields.filter((f) => f.field === MODEL.graph);
  const [graph] = graphs;
  if (graph === undefined || graphs.length > 1) throw new RangeError('it does not hold one graph');
  const functions = fields.filter((f) => f.field === MODEL.functions);
  const head = ModelProto.decode(
    concatBytes(fields.filter((f) => f !== graph && f.field !== MODEL.functions).map((f) => f.raw)),
  );
  const seen: Seen = { operators: new Set(), external: [], nodes: 0 };
  const content = splitFields(graph.payload);
  const nodes = readNodes(content, seen, 1);
  if (nodes.length === 0) throw new RangeError('its graph holds no node');
  const initializers = of(content, GRAPH.initializer);
  const byName = new Map(initializers.map((f) => [firstText(splitFields(f.payload), TENSOR.name), f]));
  return {
    irVersion: Number(head.irVersion),
    producer: `${head.producerName} ${head.producerVersion}`.trim().slice(0, 100),
    opsets: head.opsetImport.map(({ domain, version }) => ({ domain: domain ?? '', version: Number(version) })),
    nodes,
    operators: seen.operators,
    constant: (name) => {
      const found = byName.get(name);
      return found === undefined ? undefined : TensorProto.decode(found.payload);
    },
    external: seen.external,
    functions: functions.length,
    inputs: of(content, GRAPH.input)
      .map((f) => ValueInfoProto.decode(f.payload))
      .filter((input) => !byName.has(input.name)),
    outputs: of(content, GRAPH.output).map((f) => ValueInfoProto.decode(f.payload)),
  };
}

/** Nodes of one graph; what lies in tensors and graphs below is noted in `seen`. */
function readNodes(graph: readonly WireField[], seen: Seen, depth: number): GraphNode[] {
  if (depth > GRAPH_DEPTH_MAX) throw new RangeError(`its graphs nest deeper than ${GRAPH_DEPTH_MAX}`);
  for (const { payload } of of(graph, GRAPH.initializer)) readTensor(payload, seen);
  for (const { payload } of of(graph, GRAPH.sparseInitializer)) readSparse(payload, seen);
  return of(graph, GRAPH.node).map(({ payload }) => {
    seen.nodes += 1;
    if (seen.nodes > NODES_MAX) throw new RangeError(`its graph holds more than ${NODES_MAX} nodes`);
    const fields = splitFields(payload);
    const opType = firstText(fields, NODE.opType);
    const domain = firstText(fields, NODE.domain);
    seen.operators.add(`${domain}/${opType}`);
    for (const attribute of of(fields, NODE.attribute)) readAttribute(attribute.payload, seen, depth);
    return {
      opType,
      domain,
      inputs: texts(fields, NODE.input),
      outputs: texts(fields, NODE.output),
      attribute: (name) => NodeProto.decode(payload).attribute.find((a) => a.name === name),
    };
  });
}

function readAttribute(bytes: Uint8Array, seen: Seen, depth: number): void {
  for (const { field, payload } of splitFields(bytes)) {
    switch (field) {
      case ATTRIBUTE.tensor:
      case ATTRIBUTE.tensors:
        readTensor(payload, seen);
        break;
      case ATTRIBUTE.sparseTensor:
      case ATTRIBUTE.sparseTensors:
        readSparse(payload, seen);
        break;
      case ATTRIBUTE.graph:
      case ATTRIBUTE.graphs:
        readNodes(splitFields(payload), seen, depth + 1);
        break;
      default:
    }
  }
}

function readSparse(bytes: Uint8Array, seen: Seen): void {
  for (const { field, payload } of splitFields(bytes)) {
    if (field === SPARSE.values || field === SPARSE.indices) readTensor(payload, seen);
  }
}

function readTensor(bytes: Uint8Array, seen: Seen): void {
  const wanted: readonly number[] = Object.values(TENSOR);
  const outline = splitFields(bytes).filter((f) => wanted.includes(f.field));
  const tensor = TensorProto.decode(concatBytes(outline.map((f) => f.raw)));
  const outside = tensor.dataLocation === TensorProto.DataLocation.EXTERNAL || tensor.externalData.length > 0;
  if (outside) seen.external.push(tensor.name);
}

function of(fields: readonly WireField[], field: number): readonly WireField[] {
  return fields.filter((f) => f.field === field);
}

function texts(fields: readonly WireField[], field: number): readonly string[] {
  return of(fields, field).map((f) => Buffer.from(f.payload).toString('utf8'));
}

function firstText(fields: readonly WireField[], field: number): string {
  return texts(fields, field)[0] ?? '';
}
