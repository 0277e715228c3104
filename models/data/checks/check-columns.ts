import type { ModelDefinition } from '../../../domain/definition.ts';
import type { DataFinding } from '../../../domain/evaluation.ts';
import { cellText, countMissing, distinctTexts } from '../cells.ts';
import { parseDecimal } from '../column-builder.ts';
import type { DataColumn } from '../dataset.ts';
import { grouped } from '../limits.ts';
import { finding, percent } from './finding.ts';

const MISSING_SHARE_WARNING = 0.5;
/** A text column with at least this share of numbers probably is a number column with some other marks in it. */
const NUMBER_SHARE_WARNING = 0.5;
/** Tukey's far-out fence: beyond this many interquartile ranges from the quartiles. */
const FAR_OUT_RANGES = 3;
const EXAMPLES_MAX = 3;

/** Missing values, kinds, constants and ranges of one column that may become a feature. */
export function checkColumn(column: DataColumn, definition: ModelDefinition): DataFinding[] {
  return [
    ...checkMissing(column),
    ...checkConstant(column),
    ...(column.kind === 'text' ? checkMixed(column, definition) : []),
    ...(column.kind === 'number' ? checkRange(column, definition) : []),
  ];
}

function checkMissing(column: DataColumn): DataFinding[] {
  const missing = countMissing(column);
  if (missing === 0) return [];
  const share = missing / column.values.length;
  const severity = share >= MISSING_SHARE_WARNING ? 'warning' : 'info';
  const message = `${grouped(missing)} of ${grouped(column.values.length)} values are missing (${percent(share)})`;
  return [finding('missing', severity, column.name, message, { missing, share })];
}

function checkConstant(column: DataColumn): DataFinding[] {
  const [only, ...others] = distinctTexts(column, 1);
  if (only === undefined || others.length > 0 || countMissing(column) > 0) return [];
  return [finding('constant', 'warning', column.name, 'its value never changes', { value: only, distinct: 1 })];
}

function checkMixed(column: DataColumn, definition: ModelDefinition): DataFinding[] {
  if (definition.features[column.name]?.type !== undefined) return [];
  const others = new Set<string>();
  let numbers = 0;
  let filled = 0;
  for (let row = 0; row < column.values.length; row += 1) {
    const text = cellText(column, row);
    if (text === null) continue;
    filled += 1;
    if (parseDecimal(text) !== null) numbers += 1;
    else if (others.size < EXAMPLES_MAX) others.add(`"${text}"`);
  }
  const share = filled === 0 ? 0 : numbers / filled;
  if (share < NUMBER_SHARE_WARNING) return [];
  const message = `${percent(share)} of its values are numbers, but not ${[...others].join(', ')}: it is read as text`;
  return [finding('type', 'warning', column.name, message, { numbers, values: filled, share })];
}

function checkRange(column: DataColumn & { kind: 'number' }, definition: ModelDefinition): DataFinding[] {
  const sorted = column.values.filter((value) => !Number.isNaN(value)).sort();
  const min = sorted[0];
  const max = sorted.at(-1);
  if (min === undefined || max === undefined) return [];
  const { name } = column;
  const findings: DataFinding[] = [];
  const { min: lowest = -Infinity, max: highest = Infinity } = definition.features[name] ?? {};
  const outside = countOutside(sorted, lowest, highest);
  if (outside > 0) {
    const message = `${grouped(outside)} values are outside the range the definition allows (found ${min} to ${max})`;
    findings.push(finding('range', 'warning', name, message, { outside, min, max }));
  }
  const [lower, upper] = [quantile(sorted, 0.25), quantile(sorted, 0.75)];
  const reach = (upper - lower) * FAR_OUT_RANGES;
  const farOut = reach > 0 ? countOutside(sorted, lower - reach, upper + reach) : 0;
  if (farOut > 0) {
    const message = `${grouped(farOut)} values lie far from the others (half are in ${lower} to ${upper}, all in ${min} to ${max})`;
    findings.push(
      finding('range', 'info', name, message, { farOut, min, lowerQuartile: lower, upperQuartile: upper, max }),
    );
  }
  return findings;
}

const countOutside = (sorted: Float64Array, min: number, max: number): number =>
  sorted.reduce((count, value) => (value < min || value > max ? count + 1 : count), 0);

/** Linear interpolation between the neighbours (type 7 of Hyndman and Fan, 1996). */
function quantile(sorted: Float64Array, share: number): number {
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? NaN;
  const high = sorted[Math.ceil(at)] ?? NaN;
  return low + (high - low) * (at - Math.floor(at));
}
