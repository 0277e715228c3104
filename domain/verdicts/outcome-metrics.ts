import type { Evidence, Observation } from '../verdict.ts';
import { ACCURACY_EVENT, ARMS } from '../verdict.ts';
import type { MetricRule } from '../rollout/plan.ts';
import {
  addMeans,
  contrast,
  logMeanEvidence,
  meanOf,
  tightestAt,
  TIGHTEST_AT_UNITS,
  type MeanSums,
} from '../statistics/mean-difference.ts';
import { measured, type Scales } from './measured.ts';
import { grouped, percent, short } from './words.ts';

/** The confidence sequence is asymptotic: below this many units of an arm it says nothing. */
export const UNITS_MIN = 200;
const DEGRADATION_MAX = 0.05;
const NONE: MeanSums = { count: 0, sum: 0, sumOfSquares: 0 };

/**
 * A business metric, or accuracy: the mean over users against the one of the champion's version, whose two arms are taken
 * together. Breached when the mean is shown to be worse and is worse by the allowed loss or more; healthy when a loss of
 * that size is ruled out.
 */
export function judgeOutcome(rule: MetricRule, observation: Observation, scales: Scales): Evidence {
  const event = rule.metric === 'accuracy' ? ACCURACY_EVENT : (rule.event ?? '');
  const name = rule.metric === 'accuracy' ? 'accuracy' : event;
  const of = (candidate: boolean): MeanSums =>
    observation.outcomes
      .filter((o) => o.event === event && ARMS.includes(o.arm) && (o.arm === 'candidate') === candidate)
      .reduce((sums, o) => addMeans(sums, { count: o.users, sum: o.sum, sumOfSquares: o.sumOfSquares }), NONE);
  const ours = of(true);
  const theirs = of(false);
  const limit = rule.degradationMax ?? DEGRADATION_MAX;
  const sign = rule.better === 'lower' ? -1 : 1;
  const mean = meanOf(theirs);
  const change = mean === 0 ? 0 : (sign * (meanOf(ours) - mean)) / Math.abs(mean);
  const logs = logsOf(ours, theirs, sign, limit, 1 / scales.healthThreshold);
  const sentence =
    `${name}: ${short(meanOf(ours))} over ${grouped(ours.count)} users, beside ${short(mean)} over ` +
    `${grouped(theirs.count)}: ${change < 0 ? 'worse' : 'better'} by ${percent(Math.abs(change))} (allowed loss ${percent(limit)})`;
  return measured(
    {
      metric: rule.metric,
      ...(rule.metric === 'outcome' ? { event } : {}),
      action: rule.action,
      sizes: { candidate: ours.count, baseline: theirs.count },
      observed: meanOf(ours),
      baseline: mean,
      limit,
      logs,
      sentence,
      mayBreach: change <= -limit,
    },
    scales,
  );
}

function logsOf(ours: MeanSums, theirs: MeanSums, sign: 1 | -1, limit: number, alpha: number) {
  const open = { against: 0, health: 0 };
  if (ours.count < UNITS_MIN || theirs.count < UNITS_MIN) return open;
  const rho = tightestAt(TIGHTEST_AT_UNITS, alpha);
  const difference = contrast(ours, theirs, 1);
  // `mean > (1 - limit) mean of theirs` for what is better high, `mean < (1 + limit) mean` for what is better low.
  const loss = sign * limit * Math.sign(meanOf(theirs));
  const margin = contrast(ours, theirs, 1 - loss);
  const evidence = (c: typeof margin, side: number): number => {
    if (c === null || c.estimate * side <= 0) return 0;
    return logMeanEvidence(c.estimate / c.standardError, c.units, rho);
  };
  return { against: evidence(difference, -sign), health: evidence(margin, sign) };
}
