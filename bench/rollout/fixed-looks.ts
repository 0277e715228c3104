import { logBaselineEvidence } from '../../domain/statistics/baseline-evidence.ts';
import { betterShares, logEvidence, worseShares } from '../../domain/statistics/limit-evidence.ts';
import { geometric, seeded, type Random } from './random.ts';

/** Independent requests, a look every 500, at most 30,000: the setting of the published table. */
const LOOK_EVERY = 500;
const REQUESTS_MAX = 30_000;
const ALPHA = 0.01;

export interface Ends {
  /** Shares of the runs, 0..1. */
  readonly rollback: number;
  readonly healthy: number;
  /** Requests of the candidate at the end; `Infinity` where no run ended so. */
  readonly rollbackMedian: number;
  readonly healthyMedian: number;
}

/** Runs in which a rule says at each look what it makes of `hits` of `requests`, and of those since the look before. */
type Rule = (hits: number, requests: number, sinceLast: number) => 'rollback' | 'healthy' | null;

function run(rate: number, runs: number, seed: number, begin: () => Rule, burstMean = 1): Ends {
  const random = seeded(seed);
  const rollbacks: number[] = [];
  const healthy: number[] = [];
  for (let i = 0; i < runs; i++) {
    const rule = begin();
    const next = hitsOf(rate, random, burstMean);
    let before = 0;
    for (let n = LOOK_EVERY; n <= REQUESTS_MAX; n += LOOK_EVERY) {
      const hits = next(n);
      const said = rule(hits, n, hits - before);
      before = hits;
      if (said === null) continue;
      (said === 'rollback' ? rollbacks : healthy).push(n);
      break;
    }
  }
  return {
    rollback: rollbacks.length / runs,
    healthy: healthy.length / runs,
    rollbackMedian: median(rollbacks),
    healthyMedian: median(healthy),
  };
}

/** Hits among the first `n` requests, drawn by their gaps. */
function hitsOf(rate: number, random: Random, burstMean = 1): (n: number) => number {
  let hits = 0;
  let at = geometric(random, rate / burstMean);
  return (n) => {
    while (at < n) {
      // A whole burst at once: beside 500 requests a look it has no length.
      hits += burstMean <= 1 ? 1 : 1 + geometric(random, 1 / burstMean);
      at += 1 + geometric(random, rate / burstMean);
    }
    return hits;
  };
}

/** The e-process against one limit, and its mirror image. */
export function againstLimit(rate: number, limit: number, runs: number, seed: number): Ends {
  const worse = worseShares(limit);
  const better = betterShares(limit);
  const threshold = -Math.log(ALPHA);
  return run(rate, runs, seed, () => (hits, n) => {
    if (logEvidence(hits, n, limit, worse) >= threshold) return 'rollback';
    return logEvidence(hits, n, limit, better) >= threshold ? 'healthy' : null;
  });
}

/** The same evidence where errors come in bursts, which it takes for news each: why the judge does not use it so. */
export function againstLimitInBursts(rate: number, limit: number, burstMean: number, runs: number, seed: number): Ends {
  const worse = worseShares(limit);
  const rule: Rule = (hits, n) =>
    logEvidence(Math.min(hits, n), n, limit, worse) >= -Math.log(ALPHA) ? 'rollback' : null;
  return run(rate, runs, seed, () => rule, burstMean);
}

/** What it is shown beside: back as soon as `inARow` windows of 500 requests have more than the limit allows. */
export function windowRule(rate: number, limit: number, inARow: number, runs: number, seed: number): Ends {
  return run(rate, runs, seed, () => {
    let bad = 0;
    return (_hits, _n, since) => {
      bad = since > limit * LOOK_EVERY ? bad + 1 : 0;
      return bad >= inARow ? 'rollback' : null;
    };
  });
}

/** Beside production at a tenth of the traffic, with the base rate given; a look every 500 requests of the candidate. */
export function againstBaseline(ratio: number, baseRate: number, runs: number, seed: number): Ends {
  const share = 0.1;
  const random = seeded(seed + 1);
  return run(baseRate * ratio, runs, seed, () => {
    const others = hitsOf(baseRate, random);
    return (hits, n) => {
      const theirs = others((n * (1 - share)) / share);
      return logBaselineEvidence(hits, theirs, share) >= -Math.log(ALPHA) ? 'rollback' : null;
    };
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Infinity;
}
