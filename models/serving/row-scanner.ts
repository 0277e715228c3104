import { encodedLayout } from '../../domain/encoding.ts';
import type { FeatureSpec, Signature } from '../../domain/signature.ts';

/**
 * Reads the JSON object of a row's features straight into its floats: half of what a request costs here is the making
 * of objects that are read once. It knows the usual form alone (every feature once, known categories, plain numbers
 * within their ranges, no escapes, at most one space behind colons and commas); whatever else a row may be is left to
 * the parser and the encoder, which know it all.
 */
export interface RowScanner {
  /**
   * Writes the floats of the object that begins at `text[at]` to `out[offset ..]`, exactly as parsing and encoding it.
   * @param text ASCII
   * @returns where the object ends, or -1 when it has to be parsed; what was written means nothing then
   */
  scan(text: string, at: number, out: Float32Array, offset: number): number;
}

/** Writes a value and returns where it ends; -1: it is not of the usual form. */
type ReadValue = (text: string, at: number, out: Float32Array, column: number) => number;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const OPEN = 0x7b;
const CLOSE = 0x7d;
/** Digits of a whole number that a double holds whatever they are (2^53 has 16). */
const EXACT_DIGITS = 15;
/** Exact in a double, so that one division rounds once and gives what a parser gives (Clinger, 1990). */
const POWERS = Array.from({ length: EXACT_DIGITS + 1 }, (_, n) => 10 ** n);
/** Stands as it is between quotes of JSON. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/** @returns `null` for a signature that needs more than this */
export function compileRowScanner(signature: Signature): RowScanner | null {
  const { features } = signature;
  const readers = features.map(compileValue);
  if (features.length === 0 || !features.every((f) => PLAIN.test(f.name))) return null;
  if (!readers.every((reader) => reader !== null)) return null;
  return new Scanner(features, readers);
}

class Scanner implements RowScanner {
  readonly #tokens: readonly string[];
  readonly #byName: ReadonlyMap<string, number>;
  readonly #readers: readonly ReadValue[];
  readonly #columns: readonly number[];
  /** Features in the order of the last row: the next one has most likely the same. */
  readonly #order: number[];
  /** By feature: the row in which it was seen last. */
  readonly #seen: Float64Array;
  #row = 0;

  constructor(features: readonly FeatureSpec[], readers: readonly ReadValue[]) {
    this.#tokens = features.map(({ name }) => `"${name}":`);
    this.#byName = new Map(features.map(({ name }, i) => [name, i]));
    this.#readers = readers;
    this.#columns = encodedLayout(features).columns;
    this.#order = features.map((_, i) => i);
    this.#seen = new Float64Array(features.length);
  }

  scan(text: string, at: number, out: Float32Array, offset: number): number {
    const count = this.#readers.length;
    const row = (this.#row += 1);
    if (text.charCodeAt(at) !== OPEN) return -1;
    let p = at + 1;
    for (let k = 0; k < count; k += 1) {
      const i = this.#featureAt(text, p, k);
      if (i === -1 || this.#seen[i] === row) return -1;
      this.#seen[i] = row;
      p += (this.#tokens[i] as string).length;
      if (text.charCodeAt(p) === SPACE) p += 1;
      p = (this.#readers[i] as ReadValue)(text, p, out, offset + (this.#columns[i] as number));
      if (p === -1 || text.charCodeAt(p) !== (k === count - 1 ? CLOSE : COMMA)) return -1;
      p += 1;
      if (k < count - 1 && text.charCodeAt(p) === SPACE) p += 1;
    }
    return p;
  }

  /** The feature whose name stands at `p`, -1 for none. */
  #featureAt(text: string, p: number, k: number): number {
    const expected = this.#order[k] as number;
    if (text.startsWith(this.#tokens[expected] as string, p)) return expected;
    if (text.charCodeAt(p) !== QUOTE) return -1;
    const found = this.#byName.get(text.slice(p + 1, text.indexOf('"', p + 1)));
    if (found === undefined || !text.startsWith(this.#tokens[found] as string, p)) return -1;
    this.#order[k] = found;
    return found;
  }
}

function compileValue(spec: FeatureSpec): ReadValue | null {
  switch (spec.type) {
    case 'category':
      return spec.encoding === 'raw' ? null : compileCategory(spec);
    case 'boolean':
      return readBoolean;
    case 'number':
    case 'integer':
      return compileNumber(spec);
  }
}

function compileCategory({ categories = [], encoding }: FeatureSpec): ReadValue {
  // Others stand in JSON in another way than here, and a blank one is a missing value.
  const usual = categories.flatMap((text, code) => (PLAIN.test(text) && text.trim() !== '' ? [[text, code]] : []));
  const codes = new Map(usual as [string, number][]);
  const ones = encoding === 'oneHot' ? categories.length : 0;
  return (text, at, out, column) => {
    if (text.charCodeAt(at) !== QUOTE) return -1;
    const end = text.indexOf('"', at + 1);
    const code = codes.get(text.slice(at + 1, end));
    if (end === -1 || code === undefined) return -1;
    if (ones === 0) out[column] = code;
    else {
      for (let i = column; i < column + ones; i += 1) out[i] = 0;
      out[column + code] = 1;
    }
    return end + 1;
  };
}

const readBoolean: ReadValue = (text, at, out, column) => {
  const isTrue = text.startsWith('true', at);
  if (!isTrue && !text.startsWith('false', at)) return -1;
  out[column] = isTrue ? 1 : 0;
  return at + (isTrue ? 4 : 5);
};

function compileNumber(spec: FeatureSpec): ReadValue {
  const whole = spec.type === 'integer';
  const min = spec.min ?? -Infinity;
  const max = spec.max ?? Infinity;
  return (text, at, out, column) => {
    const isNegative = text.charCodeAt(at) === MINUS;
    const first = isNegative ? at + 1 : at;
    let p = first;
    let digits = 0;
    let code = text.charCodeAt(p);
    for (; code >= ZERO && code <= NINE; code = text.charCodeAt((p += 1))) digits = digits * 10 + (code - ZERO);
    const wholeDigits = p - first;
    if (wholeDigits === 0 || (wholeDigits > 1 && text.charCodeAt(first) === ZERO)) return -1;
    let decimals = 0;
    if (code === DOT) {
      const from = (p += 1);
      code = text.charCodeAt(p);
      for (; code >= ZERO && code <= NINE; code = text.charCodeAt((p += 1))) digits = digits * 10 + (code - ZERO);
      decimals = p - from;
      if (decimals === 0) return -1;
    }
    // An exponent stops the caller, which expects a comma here. Of zero there are two.
    if (wholeDigits + decimals > EXACT_DIGITS || (isNegative && digits === 0)) return -1;
    const value = (isNegative ? -digits : digits) / (POWERS[decimals] as number);
    out[column] = value;
    if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) return -1;
    return p;
  };
}
