import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { DomainError } from '../../domain/errors.ts';
import type { FeatureSpec } from '../../domain/signature.ts';
import type { LightGbmDump, LightGbmLeaf, LightGbmNode, LightGbmSplit } from '../training/lightgbm-dump.ts';
import { floorToFloat32 } from './float32.ts';
import { attribute, ML_DOMAIN, node } from './graph.ts';
import { writeModel } from './model-file.ts';

/** A LightGBM forest as one TreeEnsembleRegressor (log odds) and a Sigmoid. */
export function writeTreeOnnx(features: readonly FeatureSpec[], dump: LightGbmDump): Uint8Array {
  const table = createNodeTable();
  for (const [tree, { tree_structure }] of dump.tree_info.entries()) addTree(table, tree, tree_structure);
  const scorer = {
    nodes: [
      node('TreeEnsembleRegressor', [ENCODED_TENSOR], 'odds', tableAttributes(table), ML_DOMAIN),
      node('Sigmoid', ['odds'], OUTPUT_TENSOR),
    ],
    constants: [],
  };
  const leafRows = dump.tree_info.flatMap(({ tree_structure }) => rowsOfLeaves(tree_structure));
  const counted = leafRows.filter((rows) => rows !== undefined);
  const complete = counted.length === leafRows.length;
  return writeModel(features, scorer, complete ? { kind: 'trees', leafRows: counted } : null);
}

/** Training rows by leaf, in the order in which `addTree` lists them. */
function rowsOfLeaves(root: LightGbmNode): readonly (number | undefined)[] {
  // A tree of one leaf tells no rows, and none are needed: every row is in it.
  if (isLeaf(root)) return [Math.max(1, root.leaf_count ?? 1)];
  const visit = (tip: LightGbmNode): readonly (number | undefined)[] =>
    isLeaf(tip) ? [tip.leaf_count] : [...visit(tip.left_child), ...visit(tip.right_child)];
  return visit(root);
}

/** The parallel lists of the operator, under the operator's own names. */
function createNodeTable() {
  return {
    treeids: [] as number[],
    nodeids: [] as number[],
    featureids: [] as number[],
    modes: [] as string[],
    values: [] as number[],
    truenodeids: [] as number[],
    falsenodeids: [] as number[],
    missing_value_tracks_true: [] as number[],
    target_treeids: [] as number[],
    target_nodeids: [] as number[],
    target_weights: [] as number[],
  };
}
type NodeTable = ReturnType<typeof createNodeTable>;

function tableAttributes(table: NodeTable) {
  const ints = [
    'treeids',
    'nodeids',
    'featureids',
    'truenodeids',
    'falsenodeids',
    'missing_value_tracks_true',
  ] as const;
  return [
    attribute.int('n_targets', 1),
    attribute.text('aggregate_function', 'SUM'),
    attribute.text('post_transform', 'NONE'),
    ...ints.map((name) => attribute.ints(`nodes_${name}`, table[name])),
    attribute.texts('nodes_modes', table.modes),
    attribute.floats('nodes_values', table.values),
    attribute.ints('target_treeids', table.target_treeids),
    attribute.ints('target_nodeids', table.target_nodeids),
    attribute.ints(
      'target_ids',
      table.target_treeids.map(() => 0),
    ),
    attribute.floats('target_weights', table.target_weights),
  ];
}

interface Entry {
  readonly feature: number;
  readonly mode: 'BRANCH_LEQ' | 'BRANCH_EQ' | 'LEAF';
  readonly value: number;
  readonly missingIsTrue: boolean;
}

/** Walks one tree in pre-order; the operator wants node ids from 0 within each tree. */
function addTree(table: NodeTable, tree: number, root: LightGbmNode): void {
  const base = table.nodeids.length;
  const add = ({ feature, mode, value, missingIsTrue }: Entry): number => {
    const id = table.nodeids.length - base;
    table.treeids.push(tree);
    table.nodeids.push(id);
    table.featureids.push(feature);
    table.modes.push(mode);
    table.values.push(value);
    table.truenodeids.push(0);
    table.falsenodeids.push(0);
    table.missing_value_tracks_true.push(missingIsTrue ? 1 : 0);
    return id;
  };
  const link = (id: number, whenTrue: number, whenFalse: number): void => {
    table.truenodeids[base + id] = whenTrue;
    table.falsenodeids[base + id] = whenFalse;
  };
  const visit = (tip: LightGbmNode): number => {
    if (isLeaf(tip)) {
      const id = add({ feature: 0, mode: 'LEAF', value: 0, missingIsTrue: false });
      table.target_treeids.push(tree);
      table.target_nodeids.push(id);
      table.target_weights.push(tip.leaf_value);
      return id;
    }
    const chain = entriesOf(tip).map(add);
    const left = visit(tip.left_child);
    const right = visit(tip.right_child);
    for (const [i, id] of chain.entries()) link(id, left, chain[i + 1] ?? right);
    return chain[0] as number;
  };
  visit(root);
}

/** The branches of one split: one for a number; for a set of categories one per member, all sharing their true child. */
function entriesOf(split: LightGbmSplit): readonly Entry[] {
  const feature = split.split_feature;
  if (split.decision_type === '==') {
    const codes = String(split.threshold).split('||').map(Number);
    // Unknown and missing codes are negative and in no set: right, as in LightGBM.
    return codes.map((value) => ({ feature, mode: 'BRANCH_EQ', value, missingIsTrue: false }));
  }
  if (split.missing_type === 'Zero') {
    throw new DomainError('trainingFailed', 'LightGBM trees trained with zero_as_missing cannot be written as ONNX');
  }
  const threshold = Number(split.threshold);
  // Where training saw nothing missing, LightGBM reads a missing number as 0.
  const missingIsTrue = split.missing_type === 'NaN' ? split.default_left : threshold >= 0;
  return [{ feature, mode: 'BRANCH_LEQ', value: floorToFloat32(threshold), missingIsTrue }];
}

function isLeaf(tip: LightGbmNode): tip is LightGbmLeaf {
  return 'leaf_value' in tip;
}
