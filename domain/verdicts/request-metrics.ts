import type { Arm, Evidence, JudgePolicy, Observation } from '../verdict.ts';
import type { MetricRule } from '../rollout/plan.ts';
import { logAsGoodAsBaseline, logWorseThanBaseline } from '../statistics/baseline-evidence.ts';
import { burstSize } from '../statistics/dispersion.ts';
import { judgedLimit, logAgainst, logHealth } from '../statistics/limit-evidence.ts';
import { afterWarmUp, countsOf, stretchesWithHits, type WindowCounts } from '../statistics/windows.ts';
import { measured, type Logs, type Scales } from './measured.ts';
import { grouped, percent } from './words.ts';

/** Share of requests a p95 limit allows to be slower. */
export const SLOW_SHARE_MAX = 0.05;
/** Multiple of the baseline's rate that is not yet worse: a share of slow answers differs a little between any two models. */
const RATIO_TOLERATED = { errors: 1, slow: 1.5 } as const;

export type Hit = 'errors' | 'slow';

/** Errors, or slow answers, of every arm without its warm-up. */
export interface HitCounts {
  readonly arms: Readonly<Record<Arm, readonly WindowCounts[]>>;
  /** The arm the candidate is compared with: the baseline, or production where there is none; `null`: alone. */
  readonly other: 'baseline' | 'champion' | null;
  readonly bursts: number;
  /** The candidate's share of hits against its limit. */
  readonly limit: number;
  readonly logs: Logs;
  /** Stretches (`BURST_MS`) in which the candidate had a hit. */
  readonly windowsHit: number;
}

export function countHits(observation: Observation, policy: JudgePolicy, hit: Hit): HitCounts {
  const { byWindow } = observation;
  const of = (arm: Arm): WindowCounts[] => afterWarmUp(countsOf(byWindow, arm, hit), policy.warmUpRequests);
  const arms = { candidate: of('candidate'), baseline: of('baseline'), champion: of('champion') };
  const traffic = (arm: 'baseline' | 'champion') => arms[arm].some((w) => w.requests > 0);
  const bursts = burstSize([arms.candidate, arms.baseline, arms.champion]);
  const limit = hit === 'errors' ? policy.limits.errorRateMax : SLOW_SHARE_MAX;
  const judged = judgedLimit(limit);
  return {
    arms,
    other: traffic('baseline') ? 'baseline' : traffic('champion') ? 'champion' : null,
    bursts,
    limit,
    logs: { against: logAgainst(arms.candidate, judged, bursts), health: logHealth(arms.candidate, judged, bursts) },
    windowsHit: stretchesWithHits(arms.candidate),
  };
}

const WORDS: Readonly<Record<Hit, (policy: JudgePolicy) => string>> = {
  errors: () => 'failed',
  slow: ({ limits }) => `took over ${limits.p95MsMax} ms`,
};

/** The share of failed, or of slow, requests against its limit. */
export function judgeLimit(
  rule: MetricRule,
  hit: Hit,
  counts: HitCounts,
  policy: JudgePolicy,
  scales: Scales,
): Evidence {
  const { limit, logs } = counts;
  const { requests, hits } = total(counts.arms.candidate);
  const observed = share(hits, requests);
  const sentence = `${percent(observed)} of ${grouped(requests)} requests ${WORDS[hit](policy)} (limit ${percent(limit)})`;
  const { metric, action } = rule;
  return measured({ metric, action, sizes: { candidate: requests }, observed, limit, logs, sentence }, scales);
}

/**
 * The candidate's share of hits against the one of the arm it runs beside. Where the share is shown to be within its
 * absolute limit, hits are too rare to tell the arms apart, and that is health enough.
 */
export function judgeAgainstBaseline(
  rule: MetricRule,
  hit: Hit,
  counts: HitCounts,
  policy: JudgePolicy,
  scales: Scales,
): Evidence {
  const { arms, other, bursts } = counts;
  const limit = RATIO_TOLERATED[hit];
  const { metric, action } = rule;
  const own = total(arms.candidate);
  const observed = share(own.hits, own.requests);
  const base = {
    metric,
    action,
    observed,
    limit,
    otherwiseHealthy: counts.logs.health >= Math.log(scales.healthThreshold),
  };
  if (other === null) {
    const sentence = 'not compared: no other arm has traffic';
    return measured({ ...base, sizes: { candidate: own.requests }, logs: { against: 0, health: 0 }, sentence }, scales);
  }
  const pairs = arms.candidate.flatMap((candidate, i) => {
    const window = arms[other][i];
    return window === undefined ? [] : [{ candidate, other: window }];
  });
  const theirs = total(arms[other]);
  const baseline = share(theirs.hits, theirs.requests);
  const logs = { against: logWorseThanBaseline(pairs, limit, bursts), health: logAsGoodAsBaseline(pairs, bursts) };
  const sentence =
    `${percent(observed)} of ${grouped(own.requests)} requests ${WORDS[hit](policy)}, beside ${percent(baseline)} ` +
    `of ${grouped(theirs.requests)} of the ${other}`;
  const sizes = { candidate: own.requests, [other]: theirs.requests };
  return measured({ ...base, sizes, baseline, logs, sentence }, scales);
}

function total(windows: readonly WindowCounts[]): { requests: number; hits: number } {
  let requests = 0;
  let hits = 0;
  for (const w of windows) {
    requests += w.requests;
    hits += w.hits;
  }
  return { requests, hits };
}

const share = (hits: number, requests: number): number => (requests === 0 ? 0 : hits / requests);
