"""Reference values of models/evaluation.ts by scikit-learn. Run: python evaluation.py > evaluation.json"""
import json

import numpy as np
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    roc_auc_score,
)


def ece(y, p, bins=10):
    index = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(y[index == b].mean() - p[index == b].mean()) * (index == b).mean() for b in set(index))


def case(name, y, p, threshold):
    tn, fp, fn, tp = (int(v) for v in confusion_matrix(y, p >= threshold).ravel())
    return {
        "name": name,
        "labels": y.tolist(),
        "probabilities": p.tolist(),
        "threshold": threshold,
        "expected": {
            "auc": roc_auc_score(y, p),
            "prAuc": average_precision_score(y, p),
            "logLoss": log_loss(y, p),
            "accuracy": accuracy_score(y, p >= threshold),
            "brier": brier_score_loss(y, p),
            "ece": float(ece(y, p)),
            "confusion": {"truePositive": tp, "falsePositive": fp, "trueNegative": tn, "falseNegative": fn},
        },
    }


rng = np.random.default_rng(7)
smooth = rng.uniform(size=200)
ties = np.round(rng.beta(1, 3, size=300), 1)
certain = np.array([0.0, 1.0, 1.0, 0.0, 0.5, 0.3])
print(
    json.dumps(
        [
            case("continuous probabilities", (rng.uniform(size=200) < smooth).astype(int), smooth, 0.5),
            case("many ties", (rng.uniform(size=300) < ties).astype(int), ties, 0.3),
            case("certain and wrong", np.array([1, 0, 1, 0, 1, 0]), certain, 0.5),
        ],
        indent=1,
    )
)
