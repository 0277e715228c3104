"""Writes small models as ONNX, each with rows and the probabilities that the library itself gives for them.

Argument: {"folder": where to write}. Prints {"models": count}. Versions: see python-models.ts.
"""
import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
import onnx
import xgboost
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as ToolsFloats
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

FOLDER = Path(json.loads(sys.argv[1])["folder"])
ROWS = 64
OPSET = {"": 17, "ai.onnx.ml": 3}
index = {}

random = np.random.default_rng(11)
X = random.normal(size=(600, 5)).astype(np.float32)
y = (X[:, 0] - 0.5 * X[:, 1] * X[:, 2] + random.normal(scale=0.5, size=600) > 0).astype(int)
PLANS, CITIES = np.array(["basic", "pro", "team"]), np.array(["Basel", "Köln", "Łódź", "Zürich"])
plan, city = random.choice(PLANS, 600), random.choice(CITIES, 600)
y_mixed = (X[:, 0] + (plan == "pro") - (city == "Köln") + random.normal(scale=0.5, size=600) > 0).astype(int)
mixed = np.column_stack([X[:, :2].astype(object), plan.astype(object), city.astype(object)])
MIXED_NAMES = ["age", "income", "plan", "city"]


def write(name, model, rows, probabilities):
    onnx.save(model, FOLDER / f"{name}.onnx")
    index[name] = {"rows": rows, "probabilities": [float(p) for p in probabilities]}


def matrix_rows(values):
    return [{f"f{i}": float(v) for i, v in enumerate(row)} for row in values]


def without_zipmap(model):
    return {id(model): {"zipmap": False}}


def write_matrix(name, model, onnx_model):
    write(name, onnx_model, matrix_rows(X[:ROWS]), model.predict_proba(X[:ROWS])[:, 1])


def classifiers():
    logistic = LogisticRegression().fit(X, y)
    forest = RandomForestClassifier(30, max_depth=6, random_state=1).fit(X, y)
    tables = [("input", FloatTensorType([None, 5]))]
    for name, model in [("sklearn-logistic", logistic), ("sklearn-forest", forest)]:
        made = to_onnx(model, initial_types=tables, options=without_zipmap(model), target_opset=OPSET)
        write_matrix(name, model, made)
    columns = {id(logistic): {"zipmap": "columns"}}
    write_matrix("sklearn-columns", logistic, to_onnx(logistic, initial_types=tables, options=columns, target_opset=OPSET))
    write_matrix("sklearn-zipmap", logistic, to_onnx(logistic, initial_types=tables, target_opset=OPSET))
    fixed = [("input", FloatTensorType([1, 5]))]
    made = to_onnx(logistic, initial_types=fixed, options=without_zipmap(logistic), target_opset=OPSET)
    write_matrix("sklearn-fixed-batch", logistic, made)
    doubles = [("input", DoubleTensorType([None, 5]))]
    made = to_onnx(logistic, initial_types=doubles, options=without_zipmap(logistic), target_opset=OPSET)
    write_matrix("sklearn-doubles", logistic, made)


def three_classes():
    model = LogisticRegression().fit(X, y + (X[:, 3] > 1))
    made = to_onnx(model, X[:1], options=without_zipmap(model), target_opset=OPSET)
    write_matrix("sklearn-three-classes", model, made)


def regressor():
    model = RandomForestRegressor(5, max_depth=3, random_state=1).fit(X, 10 * X[:, 0])
    write("sklearn-regressor", to_onnx(model, X[:1], target_opset=OPSET), matrix_rows(X[:ROWS]), model.predict(X[:ROWS]))


def boosting():
    model = lightgbm.LGBMClassifier(n_estimators=40, num_leaves=8, verbose=-1).fit(X, y)
    tables = [("input", ToolsFloats([None, 5]))]
    write_matrix("lightgbm", model, convert_lightgbm(model, initial_types=tables, zipmap=False, target_opset=15))
    write_matrix("lightgbm-zipmap", model, convert_lightgbm(model, initial_types=tables, target_opset=15))
    model = xgboost.XGBClassifier(n_estimators=40, max_depth=3).fit(X, y)
    write_matrix("xgboost", model, convert_xgboost(model, initial_types=tables, target_opset=15))


def pipelines():
    for handle_unknown in ["ignore", "error"]:
        encoder = OneHotEncoder(handle_unknown=handle_unknown)
        front = ColumnTransformer([("numbers", StandardScaler(), [0, 1]), ("texts", encoder, [2, 3])])
        model = make_pipeline(front, LogisticRegression()).fit(mixed, y_mixed)
        inputs = [(n, FloatTensorType([None, 1])) for n in MIXED_NAMES[:2]]
        inputs += [(n, StringTensorType([None, 1])) for n in MIXED_NAMES[2:]]
        rows = [
            {"age": float(a), "income": float(i), "plan": str(p), "city": str(c)} for a, i, p, c in mixed[:ROWS]
        ]
        expected = model.predict_proba(mixed[:ROWS])[:, 1]
        made = to_onnx(model, initial_types=inputs, options=without_zipmap(model), target_opset=OPSET)
        write(f"sklearn-pipeline-{handle_unknown}", made, rows, expected)
        if handle_unknown == "ignore":
            write("sklearn-pipeline-zipmap", to_onnx(model, initial_types=inputs, target_opset=OPSET), rows, expected)


def one_hot():
    """One float matrix of a column per category, as people encode by hand: only the signature file can name it."""
    encoded = np.column_stack([X[:, :1], plan[:, None] == PLANS, X[:, 1:2], city[:, None] == CITIES]).astype(np.float32)
    model = lightgbm.LGBMClassifier(n_estimators=40, num_leaves=8, verbose=-1).fit(encoded, y_mixed)
    made = convert_lightgbm(model, initial_types=[("input", ToolsFloats([None, 9]))], zipmap=False, target_opset=15)
    rows = [{"age": float(a), "plan": str(p), "income": float(i), "city": str(c)} for a, i, p, c in mixed[:ROWS]]
    write("lightgbm-one-hot", made, rows, model.predict_proba(encoded[:ROWS])[:, 1])
    index["lightgbm-one-hot"]["labels"] = [int(v) for v in y_mixed[:ROWS]]


def whole_numbers():
    counts = random.integers(0, 9, size=(600, 2))
    model = LogisticRegression().fit(counts, y)
    front = ColumnTransformer([("all", "passthrough", [0, 1])])
    piped = make_pipeline(front, model).fit(counts, y)
    inputs = [(n, Int64TensorType([None, 1])) for n in ["calls", "visits"]]
    made = to_onnx(piped, initial_types=inputs, options=without_zipmap(piped), target_opset=OPSET)
    rows = [{"calls": int(a), "visits": int(b)} for a, b in counts[:ROWS]]
    write("sklearn-whole-numbers", made, rows, piped.predict_proba(counts[:ROWS])[:, 1])


for part in [classifiers, three_classes, regressor, boosting, pipelines, one_hot, whole_numbers]:
    part()
(FOLDER / "models.json").write_text(json.dumps(index))
print(json.dumps({"models": len(index)}))
