import type { Evidence, Observation } from '../verdict.ts';
import { SCORE_BINS } from '../verdict.ts';
import type { MetricRule } from '../rollout/plan.ts';
import { logScoreShift, stabilityIndex } from '../statistics/score-shift.ts';
import { measured, type Scales } from './measured.ts';
import { grouped, short } from './words.ts';

/** Two models never score alike: an index below this is no shift worth a word (0.1 moderate, 0.25 large by convention). */
const STABILITY_INDEX_MAX = 0.2;
/** Scores per arm from which a small index counts as health; a rule of thumb, not a test. */
const SCORES_MIN = 1_000;

/** The distribution of the candidate's scores against the one of the champion's version. */
export function judgeScoreShift(rule: MetricRule, observation: Observation, scales: Scales): Evidence {
  const of = (candidate: boolean): number[] => {
    const bins = new Array<number>(SCORE_BINS).fill(0);
    for (const score of observation.scores) {
      if ((score.arm === 'candidate') === candidate) score.bins.forEach((n, i) => (bins[i] = (bins[i] ?? 0) + n));
    }
    return bins;
  };
  const ours = of(true);
  const theirs = of(false);
  const n = ours.reduce((sum, count) => sum + count, 0);
  const m = theirs.reduce((sum, count) => sum + count, 0);
  const observed = stabilityIndex(ours, theirs);
  const enough = Math.min(n, m) >= SCORES_MIN;
  const sentence = `scores: stability index ${short(observed)} over ${grouped(n)} beside ${grouped(m)} (limit ${STABILITY_INDEX_MAX})`;
  return measured(
    {
      metric: rule.metric,
      action: rule.action,
      sizes: { candidate: n, baseline: m },
      observed,
      limit: STABILITY_INDEX_MAX,
      logs: { against: logScoreShift(ours, theirs), health: 0 },
      sentence,
      mayBreach: observed >= STABILITY_INDEX_MAX,
      otherwiseHealthy: enough && observed < STABILITY_INDEX_MAX / 2,
    },
    scales,
  );
}
