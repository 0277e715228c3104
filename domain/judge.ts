import type { MetricRule, CompletePlan } from './rollout/plan.ts';
import { checkSampleRatio } from './statistics/sample-ratio.ts';
import type { Evidence, Judge, JudgePolicy, Observation, SampleRatio, Verdict } from './verdict.ts';
import type { Scales } from './verdicts/measured.ts';
import { judgeOutcome } from './verdicts/outcome-metrics.ts';
import { countHits, judgeAgainstBaseline, judgeLimit, type Hit, type HitCounts } from './verdicts/request-metrics.ts';
import { judgeScoreShift } from './verdicts/score-metrics.ts';
import { judgeShadow } from './verdicts/shadow-metrics.ts';
import { grouped, percent, short } from './verdicts/words.ts';
import { NO_COUNTS } from './records.ts';

export interface JudgeOptions {
  /** Errors come in bursts: hits in fewer windows than this are one event, not evidence. */
  readonly windowsMin: number;
  /** Nobody waits for windows at this share of errors over this many requests. */
  readonly catastrophic: { readonly errorRate: number; readonly requests: number };
}

const JUDGE_DEFAULTS: JudgeOptions = { windowsMin: 3, catastrophic: { errorRate: 0.2, requests: 50 } };

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
 * Judges a candidate by the metrics of its plan. Each is an e-process, valid at every look: a good candidate is ever
 * rolled back with a probability of at most alpha. A rollback is an OR, so the metrics that may cause one share alpha; health
 * is an AND, and each is shown at alpha.
 */
export function createJudge(options: JudgeOptions = JUDGE_DEFAULTS): Judge {
  return (observed: Observation, policy: JudgePolicy): Verdict => {
    const observation = windowed(observed);
    const { candidate, shadow, byWindow } = observation;
    const found = measure(observation, policy);
    const evidence = found.map((f) => f.evidence);
    const sampleRatio = checkSampleRatio(byWindow, observation.keys ?? null);
    const say = (kind: Verdict['kind'], reason: string): Verdict => ({ kind, reason, evidence, sampleRatio });
    if (candidate.requests === 0 && (shadow?.pairs ?? 0) === 0) return say('inconclusive', 'no traffic yet');
    const { catastrophic } = options;
    const errorRate = candidate.requests === 0 ? 0 : candidate.errors / candidate.requests;
    if (candidate.requests >= catastrophic.requests && errorRate >= catastrophic.errorRate) {
      return say('rollback', `${percent(errorRate)} of ${grouped(candidate.requests)} requests failed`);
    }
    if (sampleRatio?.ok === false) return say('inconclusive', unevenly(observation, sampleRatio));
    const deciding = found.filter((f) => f.evidence.action === 'rollback');
    const breached = deciding.filter((f) => f.evidence.status === 'breached');
    const proven = breached.filter((f) => f.windowsHit >= options.windowsMin);
    if (proven.length > 0) return say('rollback', sentences(proven));
    const [waiting] = breached;
    if (waiting !== undefined) {
      const seen = `seen in ${waiting.windowsHit} of the ${options.windowsMin} windows it takes`;
      return say('inconclusive', `${sentences(breached)}; ${seen}`);
    }
    const open = deciding.filter((f) => f.evidence.status !== 'healthy');
    if (deciding.length === 0) return say('inconclusive', 'the plan only watches: nothing is to be decided');
    if (open.length > 0) return say('inconclusive', `not yet known: ${sentences(open)}`);
    return say('healthy', `shown to be within its limits: ${sentences(deciding)}`);
  };
}

interface Found {
  readonly evidence: Evidence;
  /** Windows in which what is counted happened; metrics that do not come by window have none to wait for. */
  readonly windowsHit: number;
}

function measure(observation: Observation, policy: JudgePolicy): readonly Found[] {
  const { shadow } = observation;
  const rollbacks = policy.metrics.filter((rule) => rule.action === 'rollback').length;
  const scales: Scales = { threshold: Math.max(1, rollbacks) / policy.alpha, healthThreshold: 1 / policy.alpha };
  // A shadow without traffic of its own has nothing that the metrics of an arm could count.
  if (shadow !== null && shadow.pairs > 0 && observation.candidate.requests === 0) {
    const pair: Scales = { threshold: 2 / policy.alpha, healthThreshold: 1 / policy.alpha };
    return judgeShadow(shadow, policy, pair).map((evidence) => ({ evidence, windowsHit: Infinity }));
  }
  const hits = new Map<Hit, HitCounts>();
  const countsOf = (hit: Hit): HitCounts => {
    const counts = hits.get(hit) ?? countHits(observation, policy, hit);
    hits.set(hit, counts);
    return counts;
  };
  // Of mere sums it is not known in which windows the hits were: at most in those that had traffic.
  const windowsHit = (hit: Hit) => Math.min(countsOf(hit).windowsHit, observation.windows);
  const limitOf = (rule: MetricRule, hit: Hit) => judgeLimit(rule, hit, countsOf(hit), policy, scales);
  const beside = (rule: MetricRule, hit: Hit) => judgeAgainstBaseline(rule, hit, countsOf(hit), policy, scales);
  return policy.metrics.map((rule): Found => {
    switch (rule.metric) {
      case 'errorRate':
        return { evidence: limitOf(rule, 'errors'), windowsHit: windowsHit('errors') };
      case 'p95':
        return { evidence: limitOf(rule, 'slow'), windowsHit: windowsHit('slow') };
      case 'errorRateVsBaseline':
        return { evidence: beside(rule, 'errors'), windowsHit: windowsHit('errors') };
      case 'slowVsBaseline':
        return { evidence: beside(rule, 'slow'), windowsHit: windowsHit('slow') };
      case 'scoreShift':
        return { evidence: judgeScoreShift(rule, observation, scales), windowsHit: Infinity };
      case 'accuracy':
      case 'outcome':
        return { evidence: judgeOutcome(rule, observation, scales), windowsHit: Infinity };
    }
  });
}

/** Where only sums are known they stand for one long window of unknown weights, beside the number of short ones. */
function windowed(observation: Observation): Observation {
  if (observation.byWindow.length > 0) return observation;
  const { candidate, champion, windows } = observation;
  const weights = { candidate: 0, baseline: 0, champion: 0 };
  const counts = { candidate, champion, baseline: NO_COUNTS };
  const durationMs = Math.max(1, windows) * SUMS_WINDOW_MS;
  return { ...observation, byWindow: [{ startMs: 0, durationMs, weights, counts }] };
}

/** Longer than any short window, so that sums are judged as a merged one. */
const SUMS_WINDOW_MS = 60_000;

function unevenly(observation: Observation, { pValue }: SampleRatio): string {
  const latest = observation.byWindow.at(-1);
  const { candidate, champion } = observation;
  const split = `the candidate answered ${grouped(candidate.requests)} requests, the champion ${grouped(champion.requests)}`;
  const weight = latest === undefined ? '' : ` at a weight of ${short(latest.weights.candidate)} %`;
  return `the requests are not split as configured: ${split}${weight} (p = ${short(pValue)})`;
}

const sentences = (found: readonly Found[]): string => found.map((f) => f.evidence.sentence ?? '').join('; ');
