"""Reference values of the spline basis and of the penalised logistic fit. Run: python splines.py > splines.json"""
import json

import numpy as np
from scipy.interpolate import BSpline
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import SplineTransformer

rng = np.random.default_rng(3)
x = np.round(rng.gamma(2, 10, size=120), 2)
wanted = np.concatenate([np.linspace(x.min() - 5, x.max() + 5, 25), np.quantile(x, [0, 0.5, 1])])
transformer = SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="constant").fit(x[:, None])
design = transformer.transform(x[:, None])
y = (rng.uniform(size=120) < 1 / (1 + np.exp(-np.sin(x / 6) * 2))).astype(int)
knots = np.quantile(x, np.linspace(0, 1, 6))
inside = np.clip(wanted, knots[0], knots[-1])
by_scipy = BSpline.design_matrix(inside, transformer.bsplines_[0].t, 3).toarray()
assert np.allclose(by_scipy, transformer.transform(wanted[:, None]))
fits = []
for l2 in [0.05, 1, 20]:
    model = LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(design, y)
    fits.append(
        {
            "l2": l2,
            "weights": model.coef_[0].tolist(),
            "intercept": float(model.intercept_[0]),
            "probabilities": model.predict_proba(design)[:, 1].tolist(),
        }
    )
print(
    json.dumps(
        {
            "x": x.tolist(),
            "labels": y.tolist(),
            "knots": knots.tolist(),
            "wanted": wanted.tolist(),
            "basis": by_scipy.tolist(),
            "fits": fits,
        },
        indent=None,
    )
)
