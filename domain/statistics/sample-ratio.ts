import type { Arm, ArmWindow, SampleRatio } from '../verdict.ts';
import { ARMS } from '../verdict.ts';
import { logDirichletMultinomial } from './log-gamma.ts';
import { logSum } from './log-space.ts';

/** Of a wrong alarm, over the whole rollout. */
const ALPHA = 0.001;
/** Weight of the configured split in the alternative: deviations of a tenth or more are found within minutes. */
const CONCENTRATION = 200;
/** A small deviation disturbs no comparison: an arm within this ratio of its share is not suspected. */
const RATIO_TOLERATED = 1.25;
/** Keys that are assumed where nobody has counted them: too few rather than too many, as those would raise false alarms. */
const KEYS_ASSUMED = 500;

/**
 * Whether the requests fell on the arms as the weights say: the multinomial test of Lindon and Malek (arXiv:2011.03567),
 * valid at every look, unlike a chi-square per look. Keys are split and not requests: whoever sends a hundred requests
 * has one chance to fall on an arm, not a hundred. So the counts are scaled down to `keys`, the number of independent
 * keys. The sets of weights share their keys, so their evidence is not multiplied but averaged, with weights fixed
 * beforehand (1/2, 1/6, 1/12 ..., which sum to one). `null`: nothing is split.
 */
export function checkSampleRatio(windows: readonly ArmWindow[], keys: number | null): SampleRatio | null {
  const sets = [...bySplit(windows)].map(toSplit).filter((set) => set !== null);
  const total = sets.reduce((sum, set) => sum + set.total, 0);
  if (sets.length === 0) return null;
  const scale = Math.min(1, (keys ?? KEYS_ASSUMED) / total);
  let started = 0;
  const logs = sets.map((set, i) => {
    const weight = 1 / ((i + 1) * (i + 2));
    started += weight;
    const evidence = logSplitEvidence(
      set.observed.map((n) => n * scale),
      set.shares,
    );
    return evidence + Math.log(weight);
  });
  // Sets that have not begun have shown nothing: their evidence is 1.
  const log = logSum([...logs, Math.log(1 - started)]);
  const pValue = Math.min(1, Math.exp(-log));
  return { ok: !(isOff(sets) && pValue <= ALPHA), pValue };
}

interface Split {
  readonly arms: readonly Arm[];
  readonly observed: readonly number[];
  /** As configured, summing to 1. */
  readonly shares: readonly number[];
  readonly total: number;
}

function toSplit({ weights, counts }: Pick<ArmWindow, 'weights'> & { counts: Record<Arm, number> }): Split | null {
  const arms = ARMS.filter((arm) => weights[arm] > 0);
  const observed = arms.map((arm) => counts[arm]);
  const total = observed.reduce((sum, n) => sum + n, 0);
  const all = arms.reduce((sum, arm) => sum + weights[arm], 0);
  if (arms.length < 2 || total === 0) return null;
  return { arms, observed, shares: arms.map((arm) => weights[arm] / all), total };
}

function isOff(sets: readonly Split[]): boolean {
  return ARMS.some((arm) => {
    let observed = 0;
    let due = 0;
    for (const set of sets) {
      const i = set.arms.indexOf(arm);
      observed += set.observed[i] ?? 0;
      due += set.total * (set.shares[i] ?? 0);
    }
    return due > 0 && (observed * RATIO_TOLERATED < due || observed > due * RATIO_TOLERATED);
  });
}

/** Log evidence against the split `shares` (positive, summing to 1) of the requests. */
export function logSplitEvidence(counts: readonly number[], shares: readonly number[]): number {
  const prior = shares.map((share) => share * CONCENTRATION);
  const configured = counts.reduce((sum, count, i) => sum + count * Math.log(shares[i] ?? 1), 0);
  return logDirichletMultinomial(counts, prior) - configured;
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
