/** The parts of LightGBM's JSON dump (`LGBM_BoosterDumpModel`) that make up the answer. */
export interface LightGbmDump {
  readonly tree_info: readonly { readonly tree_structure: LightGbmNode }[];
}

export type LightGbmNode = LightGbmLeaf | LightGbmSplit;

export interface LightGbmLeaf {
  readonly leaf_value: number;
  /** Training rows in the leaf. A tree that is a single leaf has none. */
  readonly leaf_count?: number;
}

export interface LightGbmSplit {
  readonly split_feature: number;
  /** A number for `<=`; for `==` the category codes that go left, joined by `||`. */
  readonly threshold: number | string;
  readonly decision_type: '<=' | '==';
  readonly default_left: boolean;
  readonly missing_type: 'None' | 'Zero' | 'NaN';
  readonly left_child: LightGbmNode;
  readonly right_child: LightGbmNode;
}
