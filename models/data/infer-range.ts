import { featureValueAt } from './cells.ts';
import type { DataColumn } from './dataset.ts';

/** How far beyond the values seen a new value may lie, as a share of their span. */
const MARGIN_SHARE = 0.2;
/** Digits of the margin: more would only repeat the noise of the extremes. */
const MARGIN_DIGITS = 2;
/** Digits of a bound: takes away what binary fractions add (`138.85000000000002`). */
const BOUND_DIGITS = 12;

interface Range {
  readonly min: number;
  readonly max: number;
  readonly seenMin: number;
  readonly seenMax: number;
}

/**
 * The allowed range of a column of numbers: the range seen, with a margin of a fifth of its span on both sides that
 * never crosses zero (a duration or a price does not become negative). Bounds of whole numbers are whole.
 */
export function inferRange(column: DataColumn, type: 'number' | 'integer'): Range {
  let [seenMin, seenMax] = [Infinity, -Infinity];
  for (let row = 0; row < column.values.length; row += 1) {
    const value = featureValueAt(column, type, row);
    if (typeof value !== 'number' || !Number.isFinite(value)) continue;
    if (value < seenMin) seenMin = value;
    if (value > seenMax) seenMax = value;
  }
  if (seenMin > seenMax) return { min: 0, max: 0, seenMin: 0, seenMax: 0 };
  const margin = Number(((seenMax - seenMin) * MARGIN_SHARE).toPrecision(MARGIN_DIGITS));
  const low = Number((seenMin - margin).toPrecision(BOUND_DIGITS));
  const high = Number((seenMax + margin).toPrecision(BOUND_DIGITS));
  const whole = type === 'integer';
  const min = Math.min(seenMin, whole ? Math.ceil(low) : low);
  const max = Math.max(seenMax, whole ? Math.floor(high) : high);
  return {
    min: seenMin >= 0 ? Math.max(0, min) : min,
    // `+ 0` turns a negative zero into zero.
    max: seenMax <= 0 ? Math.min(0, max) + 0 : max,
    seenMin,
    seenMax,
  };
}
