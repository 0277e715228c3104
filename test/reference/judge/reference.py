"""Reference values for domain/judge.ts: the same mixture in exact rational arithmetic, the logarithm by `decimal`.

Run: python3 test/reference/judge/reference.py > test/reference/judge/values.json
"""
import json
from decimal import Decimal, getcontext
from fractions import Fraction

getcontext().prec = 60

WORSE = ["1.2", "1.4", "1.6", "2", "3", "5", "10", "20", "50", "100", "300"]
BETTER = ["0.1", "0.2", "0.35", "0.5", "0.7"]


def shares(limit, worse):
    if not worse:
        return [Fraction(m) * limit for m in BETTER]
    multiples = [Fraction(m) for m in WORSE]
    if limit < Fraction(1, 100):
        multiples = [m for m in multiples if m >= 2]
    return [m * limit for m in multiples if m * limit < Fraction(9, 10)]


def log_evidence(hits, requests, limit, worse):
    qs = shares(limit, worse)
    total = Fraction(0)
    for q in qs:
        total += (q / limit) ** hits * ((1 - q) / (1 - limit)) ** (requests - hits)
    mean = total / len(qs)
    return float((Decimal(mean.numerator)).ln() - Decimal(mean.denominator).ln())


cases = []
for limit in ["0.001", "0.01", "0.05", "0.2"]:
    for hits, requests in [(0, 0), (0, 1), (1, 1), (0, 500), (2, 500), (9, 500), (30, 500), (5, 2000), (100, 2000), (140, 2000), (2000, 2000)]:
        for worse in (True, False):
            cases.append(
                {
                    "limit": float(limit),
                    "hits": hits,
                    "requests": requests,
                    "side": "worse" if worse else "better",
                    "logEvidence": log_evidence(hits, requests, Fraction(limit), worse),
                }
            )
print(json.dumps(cases, indent=1))
