"""Reference values for domain/statistics, computed apart from it with numpy and scipy.

Run: python3 test/reference/verdicts.py > test/reference/verdicts.json
"""
import json

import numpy as np
from scipy import optimize, special, stats

rng = np.random.default_rng(20_240_607)

WORSE = np.array([1.2, 1.4, 1.6, 2, 3, 5, 10, 20, 50, 100, 300])
EMPHASIS = {2: 0.7, 3: 1, 5: 3, 10: 6, 20: 1.2, 50: 0.3, 100: 0.2, 300: 0.1}
BETTER = np.array([0.1, 0.2, 0.35, 0.5, 0.7])
SHORT_MS, BURST_MS, DAY_MS = 2_000, 10_000, 86_400_000
RESTART = 0.1


def alternatives(limit):
    keep = (WORSE * limit < 0.9) & ((WORSE >= 2) | (limit >= 0.01))
    weights = np.array([EMPHASIS[m] if limit < 0.01 else 1 for m in WORSE[keep]])
    return WORSE[keep] * limit, weights / weights.sum()


def factors(windows, limit, q, bursts):
    """Each window's multiplier, written as the wealth of a gambler."""
    out, unit_end, stake_base = [], -np.inf, 1.0
    for start, length, n, k in windows:
        if n == 0:
            out.append(0.0)
        elif length > BURST_MS:
            out.append((stats.binom.logpmf(k, n, q) - stats.binom.logpmf(k, n, limit)) / bursts)
        else:
            bet = min(0.9, 1 - np.exp(-(q - limit) * n))
            gain = k / (n * limit) - 1
            if bursts < 2.5 or (k == 0 and start >= unit_end):
                out.append(np.log(1 + bet * gain))
                continue
            if start >= unit_end:
                stake_base, unit_end = 1.0, start + BURST_MS
            grown = stake_base + min(bet, 0.9 * stake_base) * gain
            out.append(np.log(grown / stake_base))
            stake_base = grown
    return np.array(out)


def restarted(windows, logs):
    """The mean over all starts, each start summed on its own."""
    begin = windows[0][0]
    parts = [np.log(1 - RESTART) + logs.sum()]
    slot = 0
    for i, (start, length, _, _) in enumerate(windows):
        here = (start - begin) // BURST_MS
        if length <= BURST_MS and here > slot:
            slot = here
            day = (start - begin) // DAY_MS
            weight = 1 / ((day + 1) * (day + 2)) / (DAY_MS / BURST_MS)
            parts.append(np.log(RESTART * weight) + logs[i:].sum())
    return special.logsumexp(parts)


def against(windows, limit, bursts):
    shares, weights = alternatives(limit)
    return special.logsumexp([restarted(windows, factors(windows, limit, q, bursts)) for q in shares], b=weights)


def health(windows, limit, bursts):
    n, k = sum(w[2] for w in windows), sum(w[3] for w in windows)
    logs = [(stats.binom.logpmf(k, n, m * limit) - stats.binom.logpmf(k, n, limit)) / bursts for m in BETTER]
    return special.logsumexp(logs) - np.log(len(BETTER))


def make_windows(count, merged, n, rate):
    start, out = 0, []
    for i in range(count):
        length = 60_000 if i < merged else SHORT_MS
        size = n * length // SHORT_MS
        out.append((start, length, int(size), int(rng.binomial(size, rate))))
        start += length
    return out


limit_cases = []
for limit, rate in [(0.001, 0.001), (0.001, 0.01), (0.05, 0.08), (0.2, 0.1)]:
    for merged, n in [(0, 20), (4, 20), (3, 200)]:
        for bursts in (1.0, 6.5):
            windows = make_windows(25, merged, n, rate)
            limit_cases.append(
                {
                    "limit": limit,
                    "bursts": bursts,
                    "windows": windows,
                    "against": against(windows, limit, bursts),
                    "health": health(windows, limit, bursts),
                }
            )

RATIOS = np.array([1.5, 2, 3, 5, 10, 30])


def rho(w, r):
    return w * r / (w * r + 1 - w)


def baseline(pairs, r0):
    """Merged windows hit by hit; within a short window the mean over its hits."""
    logs = []
    for r in RATIOS[RATIOS > r0]:
        parts = []
        for start, length, n, k, m, j in pairs:
            w = n / (n + m)
            ratios = [rho(w, r) / rho(w, r0)] * k + [(1 - rho(w, r)) / (1 - rho(w, r0))] * j
            if not ratios:
                parts.append(0.0)
            elif length <= BURST_MS:
                parts.append(np.log(np.mean(ratios)))
            else:
                parts.append(np.log(ratios).sum())
        logs.append(restarted([(p[0], p[1], 0, 0) for p in pairs], np.array(parts)))
    return special.logsumexp(logs) - np.log(len(logs))


baseline_cases = []
for r0 in (1.0, 1.5):
    for ratio in (1, 4):
        pairs = []
        for i, (start, length, n, k) in enumerate(make_windows(20, 2, 50, 0.02 * ratio)):
            m = n * (1 if i < 10 else 9)
            pairs.append((start, length, n, k, m, int(rng.binomial(m, 0.02))))
        baseline_cases.append({"r0": r0, "pairs": pairs, "log": baseline(pairs, r0)})

mean_cases = []
for alpha, t, tight in [(0.01, 400, 20_000), (0.01, 20_000, 20_000), (0.05, 5_000, 1_000)]:
    rho_ = np.sqrt((-2 * np.log(alpha) + np.log(-2 * np.log(alpha) + 1)) / tight)

    def half_width(t, r):
        return np.sqrt(2 * (t * r * r + 1) / (t * t * r * r) * np.log(np.sqrt(t * r * r + 1) / alpha)) * np.sqrt(t)

    def mixture(z):
        """The mean of the likelihood ratio over a normal prior of the effect, by quadrature."""
        grid = np.linspace(-12, 12, 200_001)
        return special.logsumexp(z * np.sqrt(t) * grid * rho_ - t * (grid * rho_) ** 2 / 2 + stats.norm.logpdf(grid)) + np.log(
            grid[1] - grid[0]
        )

    best = optimize.minimize_scalar(lambda x: half_width(tight, np.exp(x)), bounds=(-15, 2), method="bounded")
    mean_cases.append(
        {
            "alpha": alpha,
            "t": t,
            "tightAt": tight,
            "rho": rho_,
            "standardErrors": half_width(t, rho_),
            "tightestPossible": best.fun,
            "atTheRho": half_width(tight, rho_),
            "z": 2.5,
            "log": mixture(2.5),
        }
    )

ours, theirs = rng.binomial(1, 0.10, 4_000), rng.binomial(1, 0.12, 6_000)
contrast_case = {
    "ours": {"count": 4_000, "sum": int(ours.sum()), "sumOfSquares": int((ours**2).sum())},
    "theirs": {"count": 6_000, "sum": int(theirs.sum()), "sumOfSquares": int((theirs**2).sum())},
    "factor": 0.95,
    "estimate": ours.mean() - 0.95 * theirs.mean(),
    "standardError": np.sqrt(ours.var(ddof=1) / 4_000 + 0.95**2 * theirs.var(ddof=1) / 6_000),
}


def dirichlet(counts, prior):
    a = np.asarray(prior, float)
    c = np.asarray(counts, float)
    return (special.gammaln(a.sum()) - special.gammaln(a.sum() + c.sum()) + (special.gammaln(a + c) - special.gammaln(a)).sum()).item()


gamma_cases = [{"x": x, "log": special.gammaln(x).item()} for x in (1e-3, 0.5, 1.0, 2.0, 7.25, 14.9, 300.5, 1e7)]
split_cases = []
for counts, shares in [([500, 480, 9_020], [0.05, 0.05, 0.9]), ([300, 500, 9_200], [0.05, 0.05, 0.9]), ([0, 10], [0.5, 0.5])]:
    null = float((np.array(counts) * np.log(shares)).sum())
    split_cases.append({"counts": counts, "shares": shares, "log": dirichlet(counts, np.array(shares) * 200) - null})

score_cases = []
for shift in (0, 0.4):
    a = np.histogram(special.expit(rng.normal(-1, 1, 2_000)), bins=20, range=(0, 1))[0]
    b = np.histogram(special.expit(rng.normal(-1 + shift, 1, 3_000)), bins=20, range=(0, 1))[0]
    both = a + b
    half = np.full(20, 0.5)
    null = special.xlogy(both, both / both.sum()).sum()
    p, q = np.maximum(a / a.sum(), 1e-4), np.maximum(b / b.sum(), 1e-4)
    score_cases.append(
        {
            "ours": a.tolist(),
            "theirs": b.tolist(),
            "log": dirichlet(a, half) + dirichlet(b, half) - float(null),
            "stabilityIndex": float(((p - q) * np.log(p / q)).sum()),
        }
    )

base, worse = 0.10, 0.095
mid = (base + worse) / 2
alike, apart = np.sqrt(2 * mid * (1 - mid)), np.sqrt(base * (1 - base) + worse * (1 - worse))
users = ((stats.norm.ppf(0.95) * alike + stats.norm.ppf(0.8) * apart) / (base - worse)) ** 2


def until(target, limit, rate, shares):
    def log(n):
        k = rate * n
        return special.logsumexp(k * np.log(shares / limit) + (n - k) * np.log((1 - shares) / (1 - limit))) - np.log(len(shares)) - target

    return int(np.ceil(optimize.brentq(log, 10, 1e7)))


bursts_windows = [(i * SHORT_MS, SHORT_MS, 50, int(k)) for i, k in enumerate(rng.poisson(0.4, 60) * rng.integers(1, 8, 60))]
tens = np.array([sum(w[3] for w in bursts_windows[i : i + 5]) for i in range(0, 60, 5)])

print(
    json.dumps(
        {
            "limit": limit_cases,
            "baseline": baseline_cases,
            "mean": mean_cases,
            "contrast": contrast_case,
            "gamma": gamma_cases,
            "split": split_cases,
            "score": score_cases,
            "bursts": {"windows": bursts_windows, "size": float((np.diff(tens) ** 2).sum() / (tens[1:] + tens[:-1]).sum())},
            "power": {
                "usersPerArm": int(np.ceil(users)),
                "clean95": int(np.ceil(np.log(0.05) / np.log(1 - 0.001))),
                "clean99": int(np.ceil(np.log(0.01) / np.log(1 - 0.001))),
                "detectFive": until(np.log(400), 0.001, 0.005, alternatives(0.001)[0]),
                "healthyFifth": until(np.log(100), 0.001, 0.0002, BETTER * 0.001),
                "quantile80": float(stats.norm.ppf(0.8)),
                "share": float(stats.norm.cdf(1.7)),
            },
        },
        indent=1,
    )
)
