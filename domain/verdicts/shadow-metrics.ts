import type { Evidence, JudgePolicy, ShadowMetric, ShadowStats } from '../verdict.ts';
import { judgedLimit, logAgainst, logEvidence, betterShares } from '../statistics/limit-evidence.ts';
import { logMeanEvidence, tightestAt, TIGHTEST_AT_UNITS } from '../statistics/mean-difference.ts';
import { measured, type Logs, type Scales } from './measured.ts';
import { UNITS_MIN } from './outcome-metrics.ts';
import { grouped, percent, short } from './words.ts';

/** Where a plan does not say: pairs with another label, mean change of the score, mean extra time as a share of the p95 limit. */
const BY_DEFAULT = { disagreement: 0.1, score: 0.05, latencyOfP95: 0.25 };
/** A merged window: pairs are known by their sums alone. */
const WHOLE = { startMs: 0, durationMs: Number.MAX_SAFE_INTEGER };

/**
 * A shadow against the version that answered the same requests, pair by pair. Its errors and its extra time may convict it;
 * other labels and scores are what a new model is for: they are shown.
 */
export function judgeShadow(stats: ShadowStats, policy: JudgePolicy, scales: Scales): Evidence[] {
  const { pairs } = stats;
  const { errorRateMax, p95MsMax } = policy.limits;
  const latencyMax = policy.limits.slowerMsMax ?? BY_DEFAULT.latencyOfP95 * p95MsMax;
  const disagreementMax = policy.limits.disagreementMax ?? BY_DEFAULT.disagreement;
  const scoreMax = policy.limits.scoreShiftMax ?? BY_DEFAULT.score;
  const share = (hits: number) => (pairs === 0 ? 0 : hits / pairs);
  const entry = (
    metric: ShadowMetric,
    action: 'rollback' | 'watch',
    observed: number,
    limit: number,
    logs: Logs,
    words: string,
  ): Evidence => {
    const sentence = `${words} over ${grouped(pairs)} pairs`;
    return measured({ metric, action, sizes: { candidate: pairs }, observed, limit, logs, sentence }, scales);
  };
  const errors = share(stats.shadowErrors);
  const others = share(stats.disagreements);
  const score = share(stats.scoreDiffSum);
  const latency = share(stats.latencyDiffSumMs);
  return [
    entry(
      'shadowErrors',
      'rollback',
      errors,
      errorRateMax,
      shareLogs(stats.shadowErrors, pairs, errorRateMax),
      `the shadow failed in ${percent(errors)} (limit ${percent(errorRateMax)})`,
    ),
    entry(
      'shadowLatency',
      'rollback',
      latency,
      latencyMax,
      meanLogs(pairs, stats.latencyDiffSumMs, stats.latencyDiffSumOfSquaresMs, latencyMax, false, scales),
      `${short(latency)} ms slower (limit ${short(latencyMax)} ms)`,
    ),
    entry(
      'shadowDisagreement',
      'watch',
      others,
      disagreementMax,
      shareLogs(stats.disagreements, pairs, disagreementMax),
      `another label in ${percent(others)} (limit ${percent(disagreementMax)})`,
    ),
    entry(
      'shadowScore',
      'watch',
      score,
      scoreMax,
      meanLogs(pairs, stats.scoreDiffSum, stats.scoreDiffSumOfSquares, scoreMax, true, scales),
      `scores moved by ${short(score)} (limit ${short(scoreMax)})`,
    ),
  ];
}

function shareLogs(hits: number, pairs: number, limit: number): Logs {
  const judged = judgedLimit(limit);
  const counts = { ...WHOLE, requests: pairs, hits: Math.min(hits, pairs) };
  return {
    against: logAgainst([counts], judged, 1),
    health: logEvidence(counts.hits, pairs, judged, betterShares(judged)),
  };
}

/** Whether a mean difference is above its limit (or, for both sides, outside of plus and minus it). */
function meanLogs(n: number, sum: number, squares: number, limit: number, bothSides: boolean, scales: Scales): Logs {
  if (n < UNITS_MIN) return { against: 0, health: 0 };
  const mean = sum / n;
  const variance = Math.max(0, squares / n - mean * mean);
  // Equal differences in every pair leave no doubt about their mean; the floor keeps the quotient finite.
  const error = Math.sqrt(Math.max(variance, 1e-12 * limit * limit) / n);
  const rho = tightestAt(TIGHTEST_AT_UNITS, 1 / scales.healthThreshold);
  const evidence = (distance: number) => (distance <= 0 ? 0 : logMeanEvidence(distance / error, n, rho));
  const above = bothSides ? Math.abs(mean) : mean;
  return { against: evidence(above - limit), health: evidence(limit - above) };
}
