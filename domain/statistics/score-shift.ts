import { logDirichletMultinomial } from './log-gamma.ts';

/** Jeffreys' prior for shares. */
const PRIOR = 0.5;
/** Added to a bin's share: an empty bin would make the index infinite. */
const PSI_FLOOR = 1e-4;

/**
 * Log evidence that two arms' scores come from different distributions, from binned counts: their marginal likelihoods with
 * a distribution each, over the largest likelihood with one in common. At most the true likelihood ratio's mixture,
 * so valid at every look for any distribution (universal inference: Wasserman et al., arXiv:1912.11436).
 */
export function logScoreShift(ours: readonly number[], theirs: readonly number[]): number {
  const prior = ours.map(() => PRIOR);
  const pooled = ours.map((count, i) => count + (theirs[i] ?? 0));
  const total = sum(pooled);
  if (sum(ours) === 0 || sum(theirs) === 0) return 0;
  const common = pooled.reduce((log, count) => (count === 0 ? log : log + count * Math.log(count / total)), 0);
  return logDirichletMultinomial(ours, prior) + logDirichletMultinomial(theirs, prior) - common;
}

/** Population stability index of `ours` against `theirs`: `sum (p - q) ln(p/q)` over the bins. */
export function stabilityIndex(ours: readonly number[], theirs: readonly number[]): number {
  const n = sum(ours);
  const m = sum(theirs);
  if (n === 0 || m === 0) return 0;
  return ours.reduce((index, count, i) => {
    const p = Math.max(count / n, PSI_FLOOR);
    const q = Math.max((theirs[i] ?? 0) / m, PSI_FLOOR);
    return index + (p - q) * Math.log(p / q);
  }, 0);
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);
