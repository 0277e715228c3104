import type { DataColumn } from './dataset.ts';

/** Distinct texts kept as one string each; beyond it a column is as good as all distinct and sharing saves nothing. */
const SHARED_TEXTS_MAX = 10_000;

/**
 * A finite decimal number as data files write it. A leading zero (`007`) makes a text: post codes and item numbers
 * would lose it. So does a whole number beyond 2^53, which a float cannot tell from its neighbours.
 */
const DECIMAL = /^[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const WHOLE = /^[+-]?\d+$/;

/** The number a text spells, `null` when it spells none. */
export function parseDecimal(text: string): number | null {
  const trimmed = text.trim();
  if (!DECIMAL.test(trimmed)) return null;
  const value = Number(trimmed);
  if (!Number.isFinite(value)) return null;
  return WHOLE.test(trimmed) && !Number.isSafeInteger(value) ? null : value;
}

export interface ColumnBuilder {
  add(text: string): void;
  finish(): DataColumn;
}

/**
 * Takes the texts of one CSV column in order and decides its kind at the end: numbers when every non-blank value is a
 * decimal number, booleans when every one is `true` or `false` in any case, else text. Blank is missing. Numbers are
 * kept as floats from the start (a tenth of the memory of texts); spellings that a float does not give back (`1.50`)
 * are kept aside in case a later value turns the column into text.
 */
export function createColumnBuilder(name: string): ColumnBuilder {
  const numbers = growingFloats();
  const spellings = new Map<number, string>();
  const shared = new Map<string, string>();
  let texts: (string | null)[] | null = null;
  let filled = 0;

  const share = (text: string): string => {
    const known = shared.get(text);
    if (known !== undefined) return known;
    if (shared.size < SHARED_TEXTS_MAX) shared.set(text, text);
    return text;
  };
  const toTexts = (): (string | null)[] =>
    Array.from(numbers.values(), (value, row) => (Number.isNaN(value) ? null : (spellings.get(row) ?? String(value))));

  return {
    add(text) {
      const blank = text.trim() === '';
      if (!blank) filled += 1;
      if (texts !== null) {
        texts.push(blank ? null : share(text));
        return;
      }
      const value = blank ? NaN : parseDecimal(text);
      if (value === null) {
        texts = [...toTexts(), share(text)];
        spellings.clear();
        return;
      }
      if (!blank && String(value) !== text) spellings.set(numbers.length(), text);
      numbers.push(value);
    },
    finish() {
      if (texts === null && filled > 0) return { name, kind: 'number', values: numbers.values() };
      const values = texts ?? toTexts();
      return filled > 0 && values.every(isBooleanText)
        ? { name, kind: 'boolean', values: values.map((v) => (v === null ? null : v.toLowerCase() === 'true')) }
        : { name, kind: 'text', values };
    },
  };
}

const isBooleanText = (text: string | null): boolean => text === null || /^(true|false)$/i.test(text);

export function growingFloats(): { push(value: number): void; length(): number; values(): Float64Array } {
  let buffer = new Float64Array(1024);
  let used = 0;
  return {
    push(value) {
      if (used === buffer.length) {
        const larger = new Float64Array(buffer.length * 2);
        larger.set(buffer);
        buffer = larger;
      }
      buffer[used] = value;
      used += 1;
    },
    length: () => used,
    values: () => buffer.slice(0, used),
  };
}
