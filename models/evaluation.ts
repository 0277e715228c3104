import { DomainError } from '../domain/errors.ts';
import type { Evaluation } from '../domain/evaluation.ts';

/** Bins of equal width for the calibration error. */
const CALIBRATION_BINS = 10;
/** Log loss clips here, as scikit-learn does for float64: certain and wrong costs 36 nats, not infinity. */
const PROBABILITY_MIN = Number.EPSILON;

/**
 * Quality of probabilities against labels (1 = positive). A row counts as predicted positive at `probability >= threshold`.
 * @throws DomainError `invalidInput` when lengths differ, there is no row, or only one class (no ranking to speak of)
 */
export function evaluate(labels: ArrayLike<number>, probabilities: ArrayLike<number>, threshold: number): Evaluation {
  const steps = rankingSteps(labels, probabilities);
  const rows = labels.length;
  const positives = steps.reduce((sum, step) => sum + step.positives, 0);
  if (positives === 0 || positives === rows) {
    throw new DomainError(
      'invalidInput',
      `An evaluation needs both classes; ${positives} of ${rows} rows are positive`,
    );
  }
  const confusion = confusionAt(labels, probabilities, threshold);
  return {
    rows,
    positives,
    threshold,
    auc: areaUnderRoc(steps),
    prAuc: averagePrecision(steps),
    logLoss: logLoss(labels, probabilities),
    accuracy: (confusion.truePositive + confusion.trueNegative) / rows,
    brier: mean(rows, (i) => ((labels[i] as number) - (probabilities[i] as number)) ** 2),
    ece: calibrationError(labels, probabilities),
    confusion,
  };
}

/** Mean negative log-likelihood in nats. */
export function logLoss(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  return mean(labels.length, (i) => {
    const p = Math.min(Math.max(probabilities[i] as number, PROBABILITY_MIN), 1 - PROBABILITY_MIN);
    return -Math.log(labels[i] === 1 ? p : 1 - p);
  });
}

/**
 * The threshold that is best on these (out-of-fold) predictions: the middle between two neighbouring probabilities;
 * of equally good ones the nearest to 0.5. A number stands for itself.
 */
export function chooseThreshold(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  policy: 'accuracy' | 'f1' | number,
): number {
  if (typeof policy === 'number') return policy;
  const steps = rankingSteps(labels, probabilities);
  const positives = steps.reduce((sum, step) => sum + step.positives, 0);
  let best = { score: -1, threshold: 0.5 };
  let truePositive = 0;
  let falsePositive = 0;
  for (const [i, step] of steps.entries()) {
    truePositive += step.positives;
    falsePositive += step.negatives;
    const score =
      policy === 'f1'
        ? (2 * truePositive) / (positives + truePositive + falsePositive)
        : (truePositive + (labels.length - positives - falsePositive)) / labels.length;
    const next = steps[i + 1]?.probability ?? 0;
    const middle = (step.probability + next) / 2;
    // Between two neighbouring doubles the middle rounds to one of them: it must not let the next step in.
    const threshold = middle > next ? middle : step.probability;
    const nearer = Math.abs(threshold - 0.5) < Math.abs(best.threshold - 0.5);
    if (score > best.score || (score === best.score && nearer)) best = { score, threshold };
  }
  return best.threshold;
}

/** The rows of one distinct probability. */
interface RankingStep {
  readonly probability: number;
  readonly positives: number;
  readonly negatives: number;
}

/** Distinct probabilities from high to low: everything that looks at the ranking walks these, so ties are exact. */
function rankingSteps(labels: ArrayLike<number>, probabilities: ArrayLike<number>): readonly RankingStep[] {
  if (labels.length !== probabilities.length || labels.length === 0) {
    const message = `An evaluation needs one probability per label; got ${labels.length} labels, ${probabilities.length} probabilities`;
    throw new DomainError('invalidInput', message);
  }
  const order = Uint32Array.from({ length: labels.length }, (_, i) => i);
  order.sort((a, b) => (probabilities[b] as number) - (probabilities[a] as number));
  const steps: { probability: number; positives: number; negatives: number }[] = [];
  for (const row of order) {
    const probability = probabilities[row] as number;
    let step = steps.at(-1);
    if (step?.probability !== probability) {
      step = { probability, positives: 0, negatives: 0 };
      steps.push(step);
    }
    if (labels[row] === 1) step.positives += 1;
    else step.negatives += 1;
  }
  return steps;
}

/** Share of (positive, negative) pairs in the right order, a tie counting half: the Mann-Whitney statistic. */
function areaUnderRoc(steps: readonly RankingStep[]): number {
  let above = 0;
  let negatives = 0;
  let ordered = 0;
  for (const step of steps) {
    ordered += step.negatives * (above + step.positives / 2);
    above += step.positives;
    negatives += step.negatives;
  }
  return ordered / (above * negatives);
}

/** Sum of precision times gain in recall over the steps, without interpolation (scikit-learn `average_precision_score`). */
function averagePrecision(steps: readonly RankingStep[]): number {
  let positives = 0;
  let rows = 0;
  let sum = 0;
  for (const step of steps) {
    positives += step.positives;
    rows += step.positives + step.negatives;
    sum += step.positives * (positives / rows);
  }
  return sum / positives;
}

/** Expected calibration error (Naeini et al. 2015): mean gap between predicted and observed share, weighted by bin size. */
function calibrationError(labels: ArrayLike<number>, probabilities: ArrayLike<number>): number {
  const gaps = new Float64Array(CALIBRATION_BINS);
  for (let i = 0; i < labels.length; i += 1) {
    const p = probabilities[i] as number;
    const bin = Math.min(CALIBRATION_BINS - 1, Math.floor(p * CALIBRATION_BINS));
    gaps[bin] = (gaps[bin] as number) + p - (labels[i] as number);
  }
  return gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / labels.length;
}

function confusionAt(
  labels: ArrayLike<number>,
  probabilities: ArrayLike<number>,
  threshold: number,
): Evaluation['confusion'] {
  const count = { truePositive: 0, falsePositive: 0, trueNegative: 0, falseNegative: 0 };
  for (let i = 0; i < labels.length; i += 1) {
    const predicted = (probabilities[i] as number) >= threshold;
    if (labels[i] === 1) count[predicted ? 'truePositive' : 'falseNegative'] += 1;
    else count[predicted ? 'falsePositive' : 'trueNegative'] += 1;
  }
  return count;
}

function mean(rows: number, value: (row: number) => number): number {
  let sum = 0;
  for (let i = 0; i < rows; i += 1) sum += value(i);
  return sum / rows;
}
