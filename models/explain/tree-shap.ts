import { goesYes, LEAF } from './forest.ts';
import type { Forest } from './forest.ts';

/** Exact Shapley values of one tree at a time, so that a caller can breathe between them. */
export interface TreeShap {
  readonly trees: number;
  /** Mean answer over the training rows: sum over the trees of the leaves' values, weighted by their rows. */
  readonly base: number;
  /** Adds the values of tree `index` for a row to `out`, one entry per column. */
  addTree(index: number, encoded: Float32Array, out: Float64Array): void;
}

/**
 * TreeSHAP with path-dependent value function: Lundberg, Erion and Lee, "Consistent Individualized Feature Attribution
 * for Tree Ensembles" (arXiv:1802.03888), Algorithm 2. A feature that is not known sends a row both ways, by the share
 * of training rows. O(leaves * depth^2) per tree, nothing is allocated per row.
 */
export function createTreeShap(forest: Forest): TreeShap {
  const path = createPath(forest.depth);
  return {
    trees: forest.roots.length,
    base: forest.roots.reduce((sum, root) => sum + meanOf(forest, root), 0),
    addTree(index, encoded, out) {
      const root = forest.roots[index] as number;
      if (forest.feature[root] === LEAF) return;
      descend({ forest, path, encoded, out }, root, 0, 0, 0, 1, 1, LEAF);
    },
  };
}

/** Mean of the leaves below a node, weighted by their rows. */
function meanOf(forest: Forest, node: number): number {
  if (forest.feature[node] === LEAF) return forest.value[node] as number;
  const yes = forest.yes[node] as number;
  const no = forest.no[node] as number;
  const rows = forest.rows[node] as number;
  return (
    ((forest.rows[yes] as number) / rows) * meanOf(forest, yes) +
    ((forest.rows[no] as number) / rows) * meanOf(forest, no)
  );
}

/**
 * The distinct features on the way to a node. `zero` is the share of rows that come through where the feature is not
 * known, `one` is 1 when the row itself does; `weight` of entry i belongs to sets of i features. Every level of the
 * recursion has its own stretch of the lists.
 */
interface Path {
  readonly feature: Int32Array;
  readonly zero: Float64Array;
  readonly one: Float64Array;
  readonly weight: Float64Array;
}

/** Stretches of 1, 2, ... entries, one per level and one to spare. */
function createPath(depth: number): Path {
  const size = ((depth + 2) * (depth + 3)) / 2;
  return {
    feature: new Int32Array(size),
    zero: new Float64Array(size),
    one: new Float64Array(size),
    weight: new Float64Array(size),
  };
}

/** One walk of a row through a tree; scalars only, as a row visits every node. */
interface Walk {
  readonly forest: Forest;
  readonly path: Path;
  readonly encoded: Float32Array;
  readonly out: Float64Array;
}

/**
 * RECURSE of Algorithm 2.
 * @param level entries of the parent's path, which begins at `from`; this node's begins at `to`
 * @param zero share of rows that came this way, `one` whether the row did, by the split on `feature` that led here
 */
function descend(
  walk: Walk,
  node: number,
  level: number,
  from: number,
  to: number,
  zero: number,
  one: number,
  feature: number,
): void {
  const { forest, path, encoded } = walk;
  copyPath(path, from, to, level);
  extend(path, to, level, zero, one, feature);
  const split = forest.feature[node] as number;
  if (split === LEAF) {
    addLeaf(walk, node, level, to);
    return;
  }
  const isYes = goesYes(forest, node, encoded);
  const yes = forest.yes[node] as number;
  const no = forest.no[node] as number;
  const hot = isYes ? yes : no;
  const cold = isYes ? no : yes;
  let incomingZero = 1;
  let incomingOne = 1;
  let entries = level + 1;
  // A feature counts once, however often it splits: its earlier entry is taken back and goes into the new one.
  const earlier = find(path, to, level, split);
  if (earlier > 0) {
    incomingZero = path.zero[to + earlier] as number;
    incomingOne = path.one[to + earlier] as number;
    unwind(path, to, level, earlier);
    entries = level;
  }
  const perRow = incomingZero / (forest.rows[node] as number);
  const next = to + level + 1;
  descend(walk, hot, entries, to, next, perRow * (forest.rows[hot] as number), incomingOne, split);
  descend(walk, cold, entries, to, next, perRow * (forest.rows[cold] as number), 0, split);
}

function addLeaf({ forest, path, out }: Walk, node: number, last: number, at: number): void {
  const value = forest.value[node] as number;
  for (let i = 1; i <= last; i += 1) {
    const share = (path.one[at + i] as number) - (path.zero[at + i] as number);
    const column = path.feature[at + i] as number;
    out[column] = (out[column] as number) + unwoundSum(path, at, last, i) * share * value;
  }
}

function copyPath({ feature, zero, one, weight }: Path, from: number, to: number, entries: number): void {
  // Shorter than the call of `copyWithin` takes.
  for (let i = 0; i < entries; i += 1) {
    feature[to + i] = feature[from + i] as number;
    zero[to + i] = zero[from + i] as number;
    one[to + i] = one[from + i] as number;
    weight[to + i] = weight[from + i] as number;
  }
}

/** Entry of a feature; 0, which is the root's, when it has none. */
function find({ feature: features }: Path, at: number, last: number, feature: number): number {
  for (let i = last; i >= 1; i -= 1) if (features[at + i] === feature) return i;
  return 0;
}

/** EXTEND of Algorithm 2: one more feature; `last` is the new entry's number. */
function extend(path: Path, at: number, last: number, zero: number, one: number, feature: number): void {
  const { weight } = path;
  path.feature[at + last] = feature;
  path.zero[at + last] = zero;
  path.one[at + last] = one;
  weight[at + last] = last === 0 ? 1 : 0;
  for (let i = last - 1; i >= 0; i -= 1) {
    const own = weight[at + i] as number;
    weight[at + i + 1] = (weight[at + i + 1] as number) + (one * own * (i + 1)) / (last + 1);
    weight[at + i] = (zero * own * (last - i)) / (last + 1);
  }
}

/** UNWIND of Algorithm 2: takes entry `index` back, as if it had never been added. */
function unwind(path: Path, at: number, last: number, index: number): void {
  const { feature, zero, one, weight } = path;
  const oneShare = one[at + index] as number;
  const zeroShare = zero[at + index] as number;
  let next = weight[at + last] as number;
  for (let i = last - 1; i >= 0; i -= 1) {
    const own = weight[at + i] as number;
    if (oneShare === 0) {
      weight[at + i] = (own * (last + 1)) / (zeroShare * (last - i));
    } else {
      const weightBefore = (next * (last + 1)) / ((i + 1) * oneShare);
      weight[at + i] = weightBefore;
      next = own - (weightBefore * zeroShare * (last - i)) / (last + 1);
    }
  }
  for (let i = index; i < last; i += 1) {
    feature[at + i] = feature[at + i + 1] as number;
    zero[at + i] = zero[at + i + 1] as number;
    one[at + i] = one[at + i + 1] as number;
  }
}

/** Sum of the weights that `unwind` would leave. */
function unwoundSum({ zero, one, weight }: Path, at: number, last: number, index: number): number {
  const oneShare = one[at + index] as number;
  const zeroShare = zero[at + index] as number;
  let next = weight[at + last] as number;
  let sum = 0;
  for (let i = last - 1; i >= 0; i -= 1) {
    const own = weight[at + i] as number;
    if (oneShare === 0) {
      sum += (own * (last + 1)) / (zeroShare * (last - i));
    } else {
      const weightBefore = (next * (last + 1)) / ((i + 1) * oneShare);
      sum += weightBefore;
      next = own - (weightBefore * zeroShare * (last - i)) / (last + 1);
    }
  }
  return sum;
}
