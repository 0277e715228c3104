import { CATEGORY_MISSING, CATEGORY_UNKNOWN, encodedLayout } from '../../domain/encoding.ts';
import type { Problem } from '../../domain/errors.ts';
import type { FeatureSpec, Signature } from '../../domain/signature.ts';
import * as problem from './feature-problems.ts';
import { STRING_LENGTH_MAX } from './string-table.ts';
import type { StringTable } from './string-table.ts';

/** `problems` refuse the row, `warnings` go into the answer. */
export interface EncodeResult {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export interface RowEncoder {
  /** Number of floats a row takes: one per feature, more where categories are one-hot. */
  readonly width: number;
  /**
   * Checks a row against the signature and writes its floats to `out[offset ..]`. Never throws for what a caller sent;
   * all that is wrong is reported at once. With problems, what was written means nothing.
   */
  encode(features: unknown, out: Float32Array, offset: number): EncodeResult;
}

/** Collects what is off. Made only when something is: the happy path allocates nothing. */
interface Findings {
  readonly problems: Problem[];
  readonly warnings: Problem[];
}

type WriteFeature = (value: unknown, out: Float32Array, at: number) => ((findings: Findings) => void) | null;

const NOTHING: EncodeResult = Object.freeze({ problems: Object.freeze([]), warnings: Object.freeze([]) });

/**
 * Compiles one closure per feature; the encoding is that of `domain/encoding.ts`.
 * @param strings where categories of the encoding `raw` leave their text; needed by graphs that take strings
 */
export function compileRowEncoder(signature: Signature, strings?: StringTable): RowEncoder {
  const { columns, width } = encodedLayout(signature.features);
  const names = signature.features.map((f) => f.name);
  const count = names.length;
  const known: ReadonlySet<string> = new Set(names);
  const writers = signature.features.map((spec) => compileFeature(spec, strings));

  function encode(features: unknown, out: Float32Array, offset: number): EncodeResult {
    if (typeof features !== 'object' || features === null || Array.isArray(features)) {
      return { problems: [problem.notAnObject(features)], warnings: [] };
    }
    const row = features as Record<string, unknown>;
    let findings: Findings | null = null;
    for (let i = 0; i < count; i += 1) {
      const name = names[i] as string;
      // Own properties only: a feature named `constructor`, or a polluted prototype, must not read as a value.
      const value = Object.hasOwn(row, name) ? row[name] : undefined;
      const report = (writers[i] as WriteFeature)(value, out, offset + (columns[i] as number));
      if (report !== null) report((findings ??= { problems: [], warnings: [] }));
    }
    if (mayHoldExtras(row, known)) {
      const extras = problem.extraFeatures(row, signature, known);
      if (extras.length > 0) (findings ??= { problems: [], warnings: [] }).problems.push(...extras);
    }
    return findings ?? NOTHING;
  }

  return { width, encode };
}

/** Cheaper than Object.keys, which builds an array. Sees inherited names too: then the exact check decides. */
function mayHoldExtras(row: object, known: ReadonlySet<string>): boolean {
  for (const name in row) if (!known.has(name)) return true;
  return false;
}

function compileFeature(spec: FeatureSpec, strings: StringTable | undefined): WriteFeature {
  switch (spec.type) {
    case 'category':
      if (spec.encoding === 'oneHot') return compileOneHot(spec);
      if (spec.encoding === 'raw') return compileText(spec, strings);
      return compileCategory(spec);
    case 'boolean':
      return compileBoolean(spec);
    case 'number':
    case 'integer':
      return compileNumber(spec);
  }
}

function compileCategory(spec: FeatureSpec): WriteFeature {
  const codes = new Map((spec.categories ?? []).map((category, code) => [category, code]));
  return (value, out, at) => {
    if (typeof value === 'string') {
      const code = codes.get(value);
      if (code !== undefined) {
        out[at] = code;
        return null;
      }
      if (!isBlank(value)) {
        out[at] = CATEGORY_UNKNOWN;
        return (found) => unknownCategory(spec, value, found);
      }
    }
    out[at] = CATEGORY_MISSING;
    return missingOrWrong(spec, value);
  };
}

/** The row may hold another row's ones: every column is written. */
function compileOneHot(spec: FeatureSpec): WriteFeature {
  const categories = spec.categories ?? [];
  const codes = new Map(categories.map((category, code) => [category, code]));
  const count = categories.length;
  return (value, out, at) => {
    for (let i = at; i < at + count; i += 1) out[i] = 0;
    if (typeof value === 'string') {
      const code = codes.get(value);
      if (code !== undefined) {
        out[at + code] = 1;
        return null;
      }
      if (!isBlank(value)) return (found) => unknownCategory(spec, value, found);
    }
    return missingOrWrong(spec, value);
  };
}

/** The text itself, by its number in the table: a missing one is the empty string. */
function compileText(spec: FeatureSpec, strings: StringTable | undefined): WriteFeature {
  if (strings === undefined) throw new Error(`${spec.name} is fed as text, which needs a table of strings`);
  const known = spec.categories === undefined ? null : new Set(spec.categories);
  return (value, out, at) => {
    if (typeof value === 'string' && !isBlank(value)) {
      if (value.length > STRING_LENGTH_MAX) return (found) => found.problems.push(problem.tooLong(spec, value));
      out[at] = strings.numberOf(value);
      if (known?.has(value) ?? true) return null;
      return (found) => unknownCategory(spec, value, found);
    }
    out[at] = strings.numberOf('');
    return missingOrWrong(spec, value);
  };
}

function unknownCategory(spec: FeatureSpec, value: string, found: Findings): void {
  (spec.unknown === 'reject' ? found.problems : found.warnings).push(problem.unknownCategory(spec, value));
}

function compileBoolean(spec: FeatureSpec): WriteFeature {
  return (value, out, at) => {
    if (typeof value === 'boolean') {
      out[at] = value ? 1 : 0;
      return null;
    }
    out[at] = NaN;
    return missingOrWrong(spec, value);
  };
}

function compileNumber(spec: FeatureSpec): WriteFeature {
  const whole = spec.type === 'integer';
  const min = spec.min ?? -Infinity;
  const max = spec.max ?? Infinity;
  return (value, out, at) => {
    if (typeof value !== 'number') {
      out[at] = NaN;
      return missingOrWrong(spec, value);
    }
    out[at] = value;
    // Read back as float32: also an overflow to infinity is no number the model can take.
    if (!Number.isFinite(out[at])) return (found) => found.problems.push(problem.notFinite(spec, value));
    if (whole && !Number.isInteger(value)) return (found) => found.problems.push(problem.wrongType(spec, value));
    if (value >= min && value <= max) return null;
    return (found) =>
      (spec.outOfRange === 'reject' ? found.problems : found.warnings).push(problem.outOfRange(spec, value));
  };
}

function missingOrWrong(spec: FeatureSpec, value: unknown): (findings: Findings) => void {
  const absent = value === null || value === undefined || (typeof value === 'string' && isBlank(value));
  if (!absent) return (found) => found.problems.push(problem.wrongType(spec, value));
  return (found) => (spec.missing === 'reject' ? found.problems : found.warnings).push(problem.missing(spec));
}

function isBlank(value: string): boolean {
  return value.trim() === '';
}
