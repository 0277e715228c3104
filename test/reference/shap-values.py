"""Reference values of the explanations, by the shap package. Run: python shap-values.py > shap-values.json (needs shap, scikit-learn)"""
import json

import numpy as np
import shap
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(5)
x = np.round(rng.normal(size=(400, 5)), 3).astype(np.float32)
odds = x[:, 0] + np.where(x[:, 1] > 0, 1.5, -0.5) * (x[:, 2] < 0.3) + 0.3 * x[:, 3] * x[:, 0]
y = (rng.uniform(size=400) < 1 / (1 + np.exp(-odds))).astype(int)
wanted = x[:25]


def as_lightgbm(tree, rate, node=0):
    """In the form of LightGBM's JSON dump; scikit-learn compares float32 values with `<=` as well."""
    rows = int(tree.n_node_samples[node])
    if tree.children_left[node] < 0:
        return {"leaf_value": float(rate * tree.value[node, 0, 0]), "leaf_count": rows}
    return {
        "split_feature": int(tree.feature[node]),
        "threshold": float(tree.threshold[node]),
        "decision_type": "<=",
        "default_left": True,
        "missing_type": "NaN",
        "left_child": as_lightgbm(tree, rate, tree.children_left[node]),
        "right_child": as_lightgbm(tree, rate, tree.children_right[node]),
    }


forest = GradientBoostingClassifier(
    n_estimators=20, max_leaf_nodes=12, max_depth=None, learning_rate=0.3, min_samples_leaf=3, random_state=1
).fit(x, y)
by_trees = shap.TreeExplainer(forest, feature_perturbation="tree_path_dependent")
assert np.allclose(by_trees.shap_values(wanted).sum(axis=1) + by_trees.expected_value, forest.decision_function(wanted))

prior = float(np.log(y.mean() / (1 - y.mean())))
linear = LogisticRegression(C=0.5).fit(x, y)
background = shap.maskers.Independent(x, max_samples=len(x))
by_linear = shap.LinearExplainer(linear, background)

print(
    json.dumps(
        {
            "rows": wanted.astype(float).tolist(),
            "trees": {
                # What scikit-learn begins with is a tree of one leaf.
                "dump": [{"tree_structure": {"leaf_value": prior}}]
                + [{"tree_structure": as_lightgbm(t.tree_, 0.3)} for t in forest.estimators_[:, 0]],
                "base": float(np.ravel(by_trees.expected_value)[0]),
                "values": by_trees.shap_values(wanted).tolist(),
            },
            "linear": {
                "weights": linear.coef_[0].tolist(),
                "intercept": float(linear.intercept_[0]),
                "means": x.astype(float).mean(axis=0).tolist(),
                "base": float(by_linear.expected_value),
                "values": by_linear.shap_values(wanted.astype(float)).tolist(),
            },
        }
    )
)
