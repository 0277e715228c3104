import type { onnx } from 'onnx-proto';
import { CATEGORIES_MAX } from './limits.ts';
import type { GraphFacts, GraphNode } from './read-graph.ts';

/** Steps that hand strings on as they are. */
const PASSING = new Set(['Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);

/**
 * The categories an input of strings is compared with, read from the encoder behind it; by input name. An input whose
 * way to an encoder is not understood is left out: then any string is let through.
 */
export function readVocabularies(facts: GraphFacts): ReadonlyMap<string, readonly string[]> {
  const vocabularies = new Map<string, readonly string[]>();
  /** By tensor: the inputs its columns come from, `null` for one that is something else. */
  const sources = new Map<string, readonly (string | null)[]>(facts.inputs.map((i) => [i.name ?? '', [i.name ?? '']]));
  for (const node of facts.nodes) {
    const categories = categoriesOf(node);
    const from = sources.get(node.inputs[0] ?? '');
    if (categories !== null && from?.length === 1 && from[0] != null) vocabularies.set(from[0], categories);
    const made = categories === null ? columnsOf(node, sources, facts) : null;
    const [output] = node.outputs;
    if (made !== null && output !== undefined) sources.set(output, made);
  }
  return vocabularies;
}

function categoriesOf(node: GraphNode): readonly string[] | null {
  if (node.domain !== 'ai.onnx.ml') return null;
  const attribute = { OneHotEncoder: 'cats_strings', LabelEncoder: 'keys_strings', CategoryMapper: 'cats_strings' }[
    node.opType
  ];
  if (attribute === undefined) return null;
  const texts = textsOf(node.attribute(attribute)).filter((text) => text.trim() !== '');
  return texts.length === 0 || texts.length > CATEGORIES_MAX ? null : [...new Set(texts)];
}

type Sources = ReadonlyMap<string, readonly (string | null)[]>;

/** Columns of the node's output by where they come from; `null` when the node does something else. */
function columnsOf(node: GraphNode, sources: Sources, facts: GraphFacts): readonly (string | null)[] | null {
  const [first = '', second = ''] = node.inputs;
  const from = sources.get(first);
  if (node.opType === 'Concat') {
    const parts = node.inputs.map((name) => sources.get(name));
    return parts.some((part) => part === undefined) ? null : parts.flatMap((part) => part ?? []);
  }
  if (from === undefined) return null;
  if (PASSING.has(node.opType)) return from.length === 1 ? from : null;
  // Columns picked by a constant list, as converters write a ColumnTransformer.
  const picks =
    node.opType === 'ArrayFeatureExtractor' ||
    (node.opType === 'Gather' && Number(node.attribute('axis')?.i ?? 0) === 1);
  const indices = picks ? int64Of(facts.constant(second)) : null;
  return indices === null ? null : indices.map((i) => from[i] ?? null);
}

function int64Of(tensor: onnx.ITensorProto | undefined): readonly number[] | null {
  if (tensor === undefined) return null;
  const listed = tensor.int64Data ?? [];
  if (listed.length > 0) return listed.map(Number);
  const raw = tensor.rawData ?? new Uint8Array();
  if (raw.length === 0 || raw.length % 8 !== 0) return null;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: raw.length / 8 }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}

/** Labels of a classifier with two classes: `[negative, positive]`; `null` when the graph does not tell. */
export function readClassLabels(facts: GraphFacts): readonly [string, string] | null {
  for (const node of [...facts.nodes].reverse()) {
    if (node.domain !== 'ai.onnx.ml') continue;
    const texts = [
      ...textsOf(node.attribute('classlabels_strings')),
      ...(node.attribute('classlabels_int64s')?.ints ?? []).map(String),
      ...(node.attribute('classlabels_ints')?.ints ?? []).map(String),
    ];
    if (texts.length > 0) return texts.length === 2 ? [texts[0] ?? '', texts[1] ?? ''] : null;
  }
  return null;
}

function textsOf(attribute: onnx.IAttributeProto | undefined): readonly string[] {
  return (attribute?.strings ?? []).map((bytes) => Buffer.from(bytes).toString('utf8'));
}
