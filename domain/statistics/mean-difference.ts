/** A mean over units, by its sums. */
export interface MeanSums {
  readonly count: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

/**
 * Log evidence that a mean is not zero: the normal mixture behind the asymptotic confidence sequence, `E = exp(z^2
 * t rho^2 / (2 (t rho^2 + 1))) / sqrt(t rho^2 + 1)` for the standardised estimate `z` after `t` units. `E >= 1/alpha` exactly
 * when zero lies outside the sequence of Waudby-Smith et al. (arXiv:2103.06476, theorem 2.2). Valid at every look for large t.
 */
export function logMeanEvidence(z: number, t: number, rho: number): number {
  const v = t * rho * rho;
  return (z * z * v) / (2 * (v + 1)) - Math.log(v + 1) / 2;
}

/** Half the width of the sequence at level `alpha`, in standard errors of the estimate. */
export function standardErrors(t: number, rho: number, alpha: number): number {
  const v = t * rho * rho;
  return Math.sqrt(((2 * (v + 1)) / v) * Math.log(Math.sqrt(v + 1) / alpha));
}

/** The `rho` whose sequence is tightest at `t` units (the same paper, appendix B.2). */
export function tightestAt(t: number, alpha: number): number {
  const l = -2 * Math.log(alpha);
  return Math.sqrt((l + Math.log(l + 1)) / t);
}

/** The sequence is tightest about here: a business metric is rarely decided by fewer units. */
export const TIGHTEST_AT_UNITS = 20_000;

/**
 * `scale * b - a` style contrasts of two independent means: estimate, standard error and units of `ours - factor *
 * theirs`. `null` while nothing varies.
 */
export function contrast(
  ours: MeanSums,
  theirs: MeanSums,
  factor: number,
): { readonly estimate: number; readonly standardError: number; readonly units: number } | null {
  if (ours.count < 2 || theirs.count < 2) return null;
  const variance = varianceOf(ours) / ours.count + (factor * factor * varianceOf(theirs)) / theirs.count;
  if (!(variance > 0)) return null;
  return {
    estimate: meanOf(ours) - factor * meanOf(theirs),
    standardError: Math.sqrt(variance),
    units: ours.count + theirs.count,
  };
}

export const meanOf = ({ count, sum }: MeanSums): number => (count === 0 ? 0 : sum / count);

function varianceOf({ count, sum, sumOfSquares }: MeanSums): number {
  const mean = sum / count;
  return Math.max(0, sumOfSquares / count - mean * mean) * (count / (count - 1));
}

export function addMeans(a: MeanSums, b: MeanSums): MeanSums {
  return { count: a.count + b.count, sum: a.sum + b.sum, sumOfSquares: a.sumOfSquares + b.sumOfSquares };
}
