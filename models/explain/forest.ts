import type { onnx } from 'onnx-proto';
import { attributeInts, attributeNumbers, attributeTexts } from './attributes.ts';

/** Trees as parallel lists over all their nodes. A split on a set of categories is one node. */
export interface Forest {
  /** First node of each tree. */
  readonly roots: readonly number[];
  /** Column of the encoded matrix; `LEAF` for a leaf. */
  readonly feature: Int32Array;
  /** Values up to it go to `yes`; of no meaning where there is a set. */
  readonly threshold: Float64Array;
  /** Where a category's code is 1, it goes to `yes`; `null`: a split by threshold. */
  readonly members: readonly (Uint8Array | null)[];
  readonly missingIsYes: Uint8Array;
  readonly yes: Int32Array;
  readonly no: Int32Array;
  /** Training rows that came by. */
  readonly rows: Float64Array;
  /** What a leaf adds to the log odds. */
  readonly value: Float64Array;
  /** Splits on the longest way. */
  readonly depth: number;
}

export const LEAF = -1;

/** One node before the lists are closed. */
interface Draft {
  readonly feature: number;
  readonly threshold: number;
  readonly members: Uint8Array | null;
  readonly missingIsYes: boolean;
  yes: number;
  no: number;
  rows: number;
  readonly value: number;
}

/**
 * Reads a `TreeEnsembleRegressor` as `models/onnx/tree-graph.ts` writes it: BRANCH_LEQ for numbers, a chain of BRANCH_EQ
 * with one common true child for a set of categories.
 * @param leafRows training rows in each leaf, in the order of `target_nodeids`
 * @throws RangeError when the lists do not make up trees
 */
export function readForest(ensemble: onnx.INodeProto, leafRows: readonly number[]): Forest {
  const table = readTable(ensemble, leafRows);
  const nodes: Draft[] = [];
  const roots: number[] = [];
  let depth = 0;
  const visit = (at: number, level: number): number => {
    if (level > table.modes.length) throw new RangeError('the trees go in circles');
    depth = Math.max(depth, level);
    const { draft, yes, no } = readNode(table, at);
    const index = nodes.push(draft) - 1;
    if (draft.feature === LEAF) return index;
    draft.yes = visit(yes, level + 1);
    draft.no = visit(no, level + 1);
    draft.rows = (nodes[draft.yes] as Draft).rows + (nodes[draft.no] as Draft).rows;
    return index;
  };
  for (const root of table.roots) roots.push(visit(root, 0));
  return { ...closeLists(nodes), roots, depth };
}

function closeLists(nodes: readonly Draft[]): Omit<Forest, 'roots' | 'depth'> {
  return {
    feature: Int32Array.from(nodes, (n) => n.feature),
    threshold: Float64Array.from(nodes, (n) => n.threshold),
    members: nodes.map((n) => n.members),
    missingIsYes: Uint8Array.from(nodes, (n) => (n.missingIsYes ? 1 : 0)),
    yes: Int32Array.from(nodes, (n) => n.yes),
    no: Int32Array.from(nodes, (n) => n.no),
    rows: Float64Array.from(nodes, (n) => n.rows),
    value: Float64Array.from(nodes, (n) => n.value),
  };
}

type Table = ReturnType<typeof readTable>;

function readTable(ensemble: onnx.INodeProto, leafRows: readonly number[]) {
  const treeids = attributeInts(ensemble, 'nodes_treeids');
  const nodeids = attributeInts(ensemble, 'nodes_nodeids');
  const key = (tree: number, node: number): string => `${tree}/${node}`;
  const position = new Map(nodeids.map((node, i) => [key(treeids[i] as number, node), i]));
  const weights = attributeNumbers(ensemble, 'target_weights');
  const targets = attributeInts(ensemble, 'target_nodeids');
  if (leafRows.length !== weights.length) throw new RangeError('the rows of the leaves are not those of these trees');
  const targetTrees = attributeInts(ensemble, 'target_treeids');
  const leaves = new Map(
    targets.map((node, i) => [
      key(targetTrees[i] as number, node),
      { value: weights[i] as number, rows: leafRows[i] as number },
    ]),
  );
  const link = (name: string) =>
    attributeInts(ensemble, name).map((node, i) => position.get(key(treeids[i] as number, node)) ?? -1);
  return {
    roots: [...treeids.keys()].filter((i) => i === 0 || treeids[i] !== treeids[i - 1]),
    features: attributeInts(ensemble, 'nodes_featureids'),
    modes: attributeTexts(ensemble, 'nodes_modes'),
    values: attributeNumbers(ensemble, 'nodes_values'),
    yes: link('nodes_truenodeids'),
    no: link('nodes_falsenodeids'),
    missingIsYes: attributeInts(ensemble, 'nodes_missing_value_tracks_true'),
    leafAt: (at: number) => leaves.get(key(treeids[at] as number, nodeids[at] as number)),
  };
}

/** The node at a position of the lists; with the whole chain where it begins one. `yes` and `no` are positions. */
function readNode(table: Table, at: number): { draft: Draft; yes: number; no: number } {
  const mode = table.modes[at];
  const none = { threshold: 0, members: null, missingIsYes: false, yes: -1, no: -1, rows: 0, value: 0 };
  if (mode === 'LEAF') {
    const leaf = table.leafAt(at);
    if (leaf === undefined) throw new RangeError(`the leaf at ${at} has no weight`);
    return { draft: { ...none, ...leaf, feature: LEAF }, yes: -1, no: -1 };
  }
  const split = {
    ...none,
    feature: table.features[at] as number,
    threshold: table.values[at] as number,
    missingIsYes: table.missingIsYes[at] === 1,
  };
  const ends = { yes: table.yes[at] as number, no: table.no[at] as number };
  if (mode === 'BRANCH_LEQ') return { draft: split, ...ends };
  if (mode !== 'BRANCH_EQ') throw new RangeError(`the node at ${at} has the mode ${String(mode)}`);
  const codes = [split.threshold];
  while (goesOn(table, at, ends)) {
    codes.push(table.values[ends.no] as number);
    ends.no = table.no[ends.no] as number;
  }
  const members = new Uint8Array(Math.max(...codes) + 1);
  for (const code of codes) members[code] = 1;
  return { draft: { ...split, members }, ...ends };
}

/** Whether the chain that begins at `at` has another link where its false end points to. */
function goesOn(table: Table, at: number, { yes, no }: { yes: number; no: number }): boolean {
  return table.modes[no] === 'BRANCH_EQ' && table.features[no] === table.features[at] && table.yes[no] === yes;
}

/** Which way a row goes; comparisons as the operator makes them, on float32 values. */
export function goesYes(forest: Forest, node: number, encoded: Float32Array): boolean {
  const value = encoded[forest.feature[node] as number] as number;
  const members = forest.members[node];
  // Codes of unknown and missing categories are negative, in no set.
  if (members !== null && members !== undefined) return members[value] === 1;
  return Number.isNaN(value) ? forest.missingIsYes[node] === 1 : value <= (forest.threshold[node] as number);
}
