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
  /** Where a node's set begins in `members` and how many codes it spans; 0 codes: a split by threshold. */
  readonly setFrom: Int32Array;
  readonly setCodes: Int32Array;
  /** By code from 0 within each set: 1 goes to `yes`. */
  readonly members: Uint8Array;
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

/**
 * Reads a `TreeEnsembleRegressor` as `models/onnx/tree-graph.ts` writes it: BRANCH_LEQ for numbers, a chain of BRANCH_EQ
 * with one common true child for a set of categories.
 * @param leafRows training rows in each leaf, in the order of `target_nodeids`
 * @throws RangeError when the lists do not make up trees
 */
export function readForest(ensemble: onnx.INodeProto, leafRows: readonly number[]): Forest {
  const table = readTable(ensemble, leafRows);
  const lists = emptyLists(table.modes.length);
  const members: number[] = [];
  let nodes = 0;
  let depth = 0;
  const visit = (at: number, level: number): number => {
    if (nodes >= table.modes.length) throw new RangeError('the trees go in circles');
    const node = nodes;
    nodes += 1;
    depth = Math.max(depth, level);
    if (table.modes[at] === 'LEAF') {
      writeLeaf(lists, node, table, at);
      return node;
    }
    const falseEnd = writeSplit(lists, node, members, table, at);
    const yes = visit(table.yes[at] as number, level + 1);
    const no = visit(falseEnd, level + 1);
    lists.yes[node] = yes;
    lists.no[node] = no;
    lists.rows[node] = (lists.rows[yes] as number) + (lists.rows[no] as number);
    return node;
  };
  const roots = table.roots.map((root) => visit(root, 0));
  return { ...lists, members: Uint8Array.from(members), roots, depth };
}

type Lists = ReturnType<typeof emptyLists>;

function emptyLists(size: number) {
  return {
    feature: new Int32Array(size),
    threshold: new Float64Array(size),
    setFrom: new Int32Array(size),
    setCodes: new Int32Array(size),
    missingIsYes: new Uint8Array(size),
    yes: new Int32Array(size),
    no: new Int32Array(size),
    rows: new Float64Array(size),
    value: new Float64Array(size),
  };
}

type Table = ReturnType<typeof readTable>;

function readTable(ensemble: onnx.INodeProto, leafRows: readonly number[]) {
  const treeids = attributeInts(ensemble, 'nodes_treeids');
  const nodeids = attributeInts(ensemble, 'nodes_nodeids');
  const roots = [...treeids.keys()].filter((i) => i === 0 || treeids[i] !== treeids[i - 1]);
  const rootOf = new Map(roots.map((root) => [treeids[root], root]));
  // Node ids count from 0 within each tree, so that a place follows from the two ids.
  if (nodeids.some((node, i) => (rootOf.get(treeids[i]) as number) + node !== i)) {
    throw new RangeError('the nodes are not numbered tree by tree');
  }
  const place = (tree: number | undefined, node: number): number => (rootOf.get(tree) ?? NaN) + node;
  const weights = attributeNumbers(ensemble, 'target_weights');
  if (leafRows.length !== weights.length) throw new RangeError('the rows of the leaves are not those of these trees');
  const targetTrees = attributeInts(ensemble, 'target_treeids');
  const leafAt = new Int32Array(nodeids.length).fill(-1);
  for (const [i, node] of attributeInts(ensemble, 'target_nodeids').entries()) leafAt[place(targetTrees[i], node)] = i;
  const links = (name: string) => attributeInts(ensemble, name).map((node, i) => place(treeids[i], node));
  return {
    roots,
    features: attributeInts(ensemble, 'nodes_featureids'),
    modes: attributeTexts(ensemble, 'nodes_modes'),
    values: attributeNumbers(ensemble, 'nodes_values'),
    yes: links('nodes_truenodeids'),
    no: links('nodes_falsenodeids'),
    missingIsYes: attributeInts(ensemble, 'nodes_missing_value_tracks_true'),
    leafAt,
    weights,
    leafRows,
  };
}

function writeLeaf(lists: Lists, node: number, table: Table, at: number): void {
  const leaf = table.leafAt[at] as number;
  const value = table.weights[leaf];
  if (value === undefined) throw new RangeError(`the leaf at ${at} has no weight`);
  lists.feature[node] = LEAF;
  lists.value[node] = value;
  lists.rows[node] = table.leafRows[leaf] as number;
}

/** Writes a split, with the whole chain where one begins. @returns where rows go that are on no true branch */
function writeSplit(lists: Lists, node: number, members: number[], table: Table, at: number): number {
  const mode = table.modes[at];
  lists.feature[node] = table.features[at] as number;
  lists.threshold[node] = table.values[at] as number;
  lists.missingIsYes[node] = table.missingIsYes[at] as number;
  let no = table.no[at] as number;
  if (mode === 'BRANCH_LEQ') return no;
  if (mode !== 'BRANCH_EQ') throw new RangeError(`the node at ${at} has the mode ${String(mode)}`);
  const from = members.length;
  addMember(members, from, table.values[at] as number);
  for (; goesOn(table, at, no); no = table.no[no] as number) addMember(members, from, table.values[no] as number);
  lists.setFrom[node] = from;
  lists.setCodes[node] = members.length - from;
  return no;
}

function addMember(members: number[], from: number, code: number): void {
  while (members.length <= from + code) members.push(0);
  members[from + code] = 1;
}

/** Whether the chain that begins at `at` has another link at `no`, where its false end points to. */
function goesOn(table: Table, at: number, no: number): boolean {
  return (
    table.modes[no] === 'BRANCH_EQ' && table.features[no] === table.features[at] && table.yes[no] === table.yes[at]
  );
}

/** Which way a row goes; comparisons as the operator makes them, on float32 values. */
export function goesYes(forest: Forest, node: number, encoded: Float32Array): boolean {
  const value = encoded[forest.feature[node] as number] as number;
  const codes = forest.setCodes[node] as number;
  // Codes of unknown and missing categories are negative, in no set.
  if (codes > 0) return value >= 0 && value < codes && forest.members[(forest.setFrom[node] as number) + value] === 1;
  return Number.isNaN(value) ? forest.missingIsYes[node] === 1 : value <= (forest.threshold[node] as number);
}
