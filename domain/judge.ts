import type { VariantCounts } from './records.ts';
import type { CompletePlan, RolloutLimits } from './rollout/plan.ts';
import type { Evidence, Judge, JudgePolicy, Observation, Verdict } from './verdict.ts';

/** What the judge has to know of a plan. */
export function judgePolicy(plan: CompletePlan): JudgePolicy {
  const { limits, metrics, alpha, warmUpRequests } = plan;
  return { limits, metrics, alpha, warmUpRequests };
}

/** An observation of which only sums are known. */
export function observationOf(sums: Pick<Observation, 'candidate' | 'champion' | 'windows'>): Observation {
  return { byWindow: [], outcomes: [], shadow: null, scores: [], ...sums };
}

/**
 * Anytime-valid test of a share against a limit: `E = mean over q of (q/p)^k ((1-q)/(1-p))^(n-k)` for `k` of `n`
 * requests and the limit `p`. E is a non-negative martingale when the true share is `p`, so it ever reaches `1/alpha`
 * with a probability of at most alpha, however often one looks (Ville's inequality; arXiv:2205.14762).
 */
export interface JudgeOptions {
  /** Probability of a rollback, over the whole rollout, of a candidate that is within all its limits. */
  readonly alpha: number;
  /** Errors come in bursts: fewer windows than this are one event, not evidence. */
  readonly windowsMin: number;
  /** Nobody waits for windows at this share of errors over this many requests. */
  readonly catastrophic: { readonly errorRate: number; readonly requests: number };
}

const JUDGE_DEFAULTS: JudgeOptions = {
  alpha: 0.01,
  windowsMin: 3,
  catastrophic: { errorRate: 0.2, requests: 50 },
};

/** A limit of nothing, or of everything, is judged as this close to it: there the ratios have no meaning. */
const LIMIT_RANGE = { min: 1e-6, max: 0.9 };
/** Share of requests a p95 limit allows to be slower. */
const SLOW_SHARE_MAX = 0.05;
/** Alternatives above the limit, as multiples of it. */
const WORSE = [1.2, 1.4, 1.6, 2, 3, 5, 10, 20, 50, 100, 300];
/** Under a limit of 1 %, telling 1.6 times the limit from the limit takes more requests than a rollout sees. */
const COARSE_LIMIT = 0.01;
const COARSE_MIN = 2;
/** Alternatives must stay below certainty, where one good request would rule them out. */
const SHARE_MAX = 0.9;
/** Alternatives below the limit: they carry the proof of health. */
const BETTER = [0.1, 0.2, 0.35, 0.5, 0.7];

/** Log of the mean likelihood ratio of the alternatives `shares` against the limit. */
export function logEvidence(hits: number, requests: number, limit: number, shares: readonly number[]): number {
  const logs = shares.map(
    (q) => hits * Math.log(q / limit) + (requests - hits) * (Math.log1p(-q) - Math.log1p(-limit)),
  );
  const largest = Math.max(...logs);
  return largest + Math.log(logs.reduce((sum, l) => sum + Math.exp(l - largest), 0) / logs.length);
}

export function worseShares(limit: number): readonly number[] {
  const multiples = limit < COARSE_LIMIT ? WORSE.filter((m) => m >= COARSE_MIN) : WORSE;
  const shares = multiples.map((m) => m * limit).filter((q) => q < SHARE_MAX);
  return shares.length > 0 ? shares : [(limit + 1) / 2];
}

export function betterShares(limit: number): readonly number[] {
  return BETTER.map((m) => m * limit);
}

/**
 * Judges a candidate by its absolute limits: share of errors, and share of requests slower than the p95 limit. A
 * rollback is an OR, so the metrics share alpha; health is an AND, and each is shown at alpha.
 */
export function createJudge(options: JudgeOptions = JUDGE_DEFAULTS): Judge {
  return (observation: Observation, { limits }: JudgePolicy): Verdict => {
    const { candidate, windows } = observation;
    const metrics = measure(candidate, limits, options.alpha);
    const evidence = metrics.map((m) => m.evidence);
    if (candidate.requests === 0) return { kind: 'inconclusive', reason: 'no traffic yet', evidence };
    const { catastrophic } = options;
    const errorRate = candidate.errors / candidate.requests;
    if (candidate.requests >= catastrophic.requests && errorRate >= catastrophic.errorRate) {
      const reason = `${percent(errorRate)} of ${candidate.requests} requests failed`;
      return { kind: 'rollback', reason, evidence };
    }
    const breached = metrics.filter((m) => m.breached);
    if (breached.length > 0) {
      const reason = breached.map((m) => m.sentence).join('; ');
      if (windows >= options.windowsMin) return { kind: 'rollback', reason, evidence };
      const waiting = `${reason}; seen in ${windows} of the ${options.windowsMin} windows it takes`;
      return { kind: 'inconclusive', reason: waiting, evidence };
    }
    const open = metrics.filter((m) => !m.healthy);
    if (open.length === 0) {
      return { kind: 'healthy', reason: `shown to be within its limits: ${sentences(metrics)}`, evidence };
    }
    return { kind: 'inconclusive', reason: `not yet known: ${sentences(open)}`, evidence };
  };
}

interface Measured {
  readonly evidence: Evidence;
  readonly breached: boolean;
  readonly healthy: boolean;
  readonly sentence: string;
}

function measure(candidate: VariantCounts, limits: RolloutLimits, alpha: number): readonly Measured[] {
  const rows = [
    { metric: 'errorRate', hits: candidate.errors, limit: limits.errorRateMax, what: 'failed' },
    { metric: 'p95', hits: candidate.slow, limit: SLOW_SHARE_MAX, what: `took over ${limits.p95MsMax} ms` },
  ] as const;
  const threshold = rows.length / alpha;
  return rows.map(({ metric, hits, limit, what }) => {
    const n = candidate.requests;
    const judged = Math.min(Math.max(limit, LIMIT_RANGE.min), LIMIT_RANGE.max);
    const against = logEvidence(hits, n, judged, worseShares(judged));
    const observed = n === 0 ? 0 : hits / n;
    return {
      // Capped because JSON knows no infinity.
      evidence: { metric, observed, limit, eValue: Math.min(Math.exp(against), Number.MAX_VALUE), threshold },
      breached: against >= Math.log(threshold),
      healthy: logEvidence(hits, n, judged, betterShares(judged)) >= -Math.log(alpha),
      sentence: `${percent(observed)} of ${n} requests ${what} (limit ${percent(limit)})`,
    };
  });
}

const sentences = (metrics: readonly Measured[]): string => metrics.map((m) => m.sentence).join('; ');

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}
