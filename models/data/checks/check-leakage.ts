import type { DataFinding } from '../../../domain/evaluation.ts';
import { cellText, isMissing } from '../cells.ts';
import type { DataColumn } from '../dataset.ts';
import { finding } from './finding.ts';

/** A single column that ranks this well is seldom known before the outcome is. */
const AUC_WARNING = 0.99;
/** With fewer rows a value, each value is of one class by chance. */
const ROWS_PER_VALUE_MIN = 5;

/**
 * Does one column alone give the target away? A column that tells the classes apart without exception is an error,
 * unless the definition describes it under `features`: then a person has looked at it. Nearly so is a warning.
 */
export function checkLeakage(column: DataColumn, labels: Int8Array, described: boolean): DataFinding[] {
  const severity = described ? 'warning' : 'error';
  const advice = described
    ? 'the definition describes it, so it is used'
    : 'exclude it, or describe it under features if it really is known before the outcome';
  const exact = (message: string, auc: number) => [
    finding('leakage', severity, column.name, `${message}; ${advice}`, { auc, exact: true }),
  ];
  if (presenceTellsClass(column, labels)) return exact('whether it is blank tells the target without exception', 1);
  const auc = column.kind === 'number' ? rankAuc(column, labels) : valueAuc(column, labels);
  if (auc === null) return [];
  if (auc === 1) return exact('it tells the target without exception', 1);
  if (auc <= AUC_WARNING) return [];
  const message = `it alone ranks the target with an AUC of ${auc.toFixed(4)}: is it known before the outcome?`;
  return [finding('leakage', 'warning', column.name, message, { auc, exact: false })];
}

function presenceTellsClass(column: DataColumn, labels: Int8Array): boolean {
  const seen = new Set<string>();
  for (let row = 0; row < labels.length && seen.size < 3; row += 1) {
    if (labels[row] !== -1) seen.add(`${isMissing(column, row)}/${labels[row] ?? ''}`);
  }
  const crossed = (seen.has('true/1') && seen.has('false/0')) || (seen.has('true/0') && seen.has('false/1'));
  return seen.size === 2 && crossed;
}

/**
 * AUC of a number by itself, whichever way it points, ties half (Mann and Whitney, 1947). Blank values are left out,
 * so that 1 is only given when nothing is blank.
 */
function rankAuc(column: DataColumn & { kind: 'number' }, labels: Int8Array): number | null {
  const present = (label: number) =>
    column.values.filter((value, row) => labels[row] === label && !Number.isNaN(value)).sort();
  const positives = present(1);
  const negatives = present(0);
  if (positives.length === 0 || negatives.length === 0) return null;
  let below = 0;
  let upTo = 0;
  let wins = 0;
  for (const value of positives) {
    while (below < negatives.length && (negatives[below] ?? 0) < value) below += 1;
    upTo = Math.max(upTo, below);
    while (upTo < negatives.length && (negatives[upTo] ?? 0) <= value) upTo += 1;
    wins += (below + upTo) / 2;
  }
  const auc = wins / (positives.length * negatives.length);
  const either = Math.max(auc, 1 - auc);
  const labelled = labels.reduce((count, label) => (label === -1 ? count : count + 1), 0);
  const complete = positives.length + negatives.length === labelled;
  return either === 1 && !complete ? AUC_WARNING + (1 - AUC_WARNING) / 2 : either;
}

/** AUC when each value (blank is one) is ranked by its share of positives; `null` with too few rows a value. */
function valueAuc(column: DataColumn, labels: Int8Array): number | null {
  const counts = new Map<string | null, { positives: number; negatives: number }>();
  let [positives, negatives] = [0, 0];
  for (let row = 0; row < labels.length; row += 1) {
    if (labels[row] === -1) continue;
    const text = cellText(column, row);
    const count = counts.get(text) ?? { positives: 0, negatives: 0 };
    counts.set(text, count);
    if (labels[row] === 1) [count.positives, positives] = [count.positives + 1, positives + 1];
    else [count.negatives, negatives] = [count.negatives + 1, negatives + 1];
  }
  if (positives === 0 || negatives === 0 || (positives + negatives) / counts.size < ROWS_PER_VALUE_MIN) return null;
  const share = (c: { positives: number; negatives: number }) => c.positives / (c.positives + c.negatives);
  let negativesBelow = 0;
  let wins = 0;
  for (const count of [...counts.values()].sort((a, b) => share(a) - share(b))) {
    wins += count.positives * (negativesBelow + count.negatives / 2);
    negativesBelow += count.negatives;
  }
  return wins / (positives * negatives);
}
