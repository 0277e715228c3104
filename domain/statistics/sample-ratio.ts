import type { Arm, ArmWindow, SampleRatio } from '../verdict.ts';
import { ARMS } from '../verdict.ts';
import { logDirichletMultinomial } from './log-gamma.ts';

/** Of a wrong alarm, over the whole rollout. */
const ALPHA = 0.001;
/** Weight of the configured split in the alternative: deviations of a tenth or more are found within minutes. */
const CONCENTRATION = 200;
/**
 * Traffic is split by keys and counted by requests: a few busy keys move the shares without anything being wrong. An arm
 * within this ratio of its share is not suspected.
 */
const RATIO_TOLERATED = 1.25;

/**
 * Whether the requests fell on the arms as the weights say: the multinomial test of Lindon and Malek (arXiv:2011.03567)
 * per set of weights, multiplied over the sets; valid at every look, unlike a chi-square per look. `null`: nothing is split.
 */
export function checkSampleRatio(windows: readonly ArmWindow[]): SampleRatio | null {
  let log = 0;
  let split = false;
  let expected = 0;
  const observed: Record<Arm, number> = { candidate: 0, baseline: 0, champion: 0 };
  const due: Record<Arm, number> = { candidate: 0, baseline: 0, champion: 0 };
  for (const { weights, counts } of bySplit(windows)) {
    const arms = ARMS.filter((arm) => weights[arm] > 0);
    const total = arms.reduce((sum, arm) => sum + counts[arm], 0);
    const sum = arms.reduce((all, arm) => all + weights[arm], 0);
    if (arms.length < 2 || total === 0) continue;
    split = true;
    expected += total;
    log += logSplitEvidence(
      arms.map((arm) => counts[arm]),
      arms.map((arm) => weights[arm] / sum),
    );
    for (const arm of arms) {
      observed[arm] += counts[arm];
      due[arm] += (total * weights[arm]) / sum;
    }
  }
  if (!split || expected === 0) return null;
  const off = ARMS.some((arm) => due[arm] > 0 && farApart(observed[arm], due[arm]));
  const pValue = Math.min(1, Math.exp(-log));
  return { ok: !(off && pValue <= ALPHA), pValue };
}

/** Log evidence against the split `shares` (positive, summing to 1) of the requests. */
export function logSplitEvidence(counts: readonly number[], shares: readonly number[]): number {
  const prior = shares.map((share) => share * CONCENTRATION);
  const configured = counts.reduce((sum, count, i) => sum + count * Math.log(shares[i] ?? 1), 0);
  return logDirichletMultinomial(counts, prior) - configured;
}

function farApart(observed: number, due: number): boolean {
  return observed * RATIO_TOLERATED < due || observed > due * RATIO_TOLERATED;
}

function bySplit(windows: readonly ArmWindow[]) {
  const sets = new Map<string, { weights: ArmWindow['weights']; counts: Record<Arm, number> }>();
  for (const { weights, counts } of windows) {
    const key = ARMS.map((arm) => weights[arm]).join('/');
    const set = sets.get(key) ?? { weights, counts: { candidate: 0, baseline: 0, champion: 0 } };
    for (const arm of ARMS) set.counts[arm] += counts[arm].requests;
    sets.set(key, set);
  }
  return sets.values();
}
