/** What a refused or flagged value is told: off the happy path, so clarity goes before speed. */
import type { Problem } from '../../domain/errors.ts';
import type { FeatureSpec, Signature } from '../../domain/signature.ts';
import { nearestName } from '../nearest-name.ts';

/** Categories named in one problem; more would bury the message. */
const MAX_ALLOWED_NAMED = 20;
/** Unknown names described one by one per row, each against all features; the rest is counted. */
const MAX_EXTRAS_NAMED = 10;
/** A quoted value of a caller is cut here. */
const MAX_QUOTED_CHARS = 60;

const fieldOf = (name: string): string => `features.${name.slice(0, 200)}`;

export function wrongType(spec: FeatureSpec, value: unknown): Problem {
  return { field: fieldOf(spec.name), message: `expected ${expectation(spec)}, got ${shown(value)}`, ...allowed(spec) };
}

export function notFinite(spec: FeatureSpec, value: number): Problem {
  const message = Number.isFinite(value)
    ? `expected a number that fits 32-bit floating point (at most 3.4e38), got ${value}`
    : `expected a finite number, got ${value}`;
  return { field: fieldOf(spec.name), message, ...allowed(spec) };
}

export function missing(spec: FeatureSpec): Problem {
  const end = spec.missing === 'reject' ? `expected ${expectation(spec)}` : 'predicted as a missing value';
  return { field: fieldOf(spec.name), message: `is missing; ${end}`, ...allowed(spec) };
}

export function unknownCategory(spec: FeatureSpec, value: string): Problem {
  const end =
    spec.unknown === 'reject' ? 'is not a value the model knows' : 'was not seen in training; predicted as unknown';
  return { field: fieldOf(spec.name), message: `${shown(value)} ${end}`, ...allowed(spec) };
}

export function tooLong(spec: FeatureSpec, value: string): Problem {
  return { field: fieldOf(spec.name), message: `${shown(value)} has ${value.length} characters, which is no category` };
}

export function outOfRange(spec: FeatureSpec, value: number): Problem {
  const end = spec.outOfRange === 'reject' ? '' : '; predicted all the same';
  return { field: fieldOf(spec.name), message: `${value} is outside the allowed range${end}`, ...allowed(spec) };
}

export function notAnObject(value: unknown): Problem {
  return { field: 'features', message: `expected an object of feature values by name, got ${shown(value)}` };
}

/** Names that are no feature, each with the feature that was probably meant. */
export function extraFeatures(row: object, signature: Signature, known: ReadonlySet<string>): Problem[] {
  const extras = Object.keys(row).filter((name) => !known.has(name));
  const names = [...known];
  const problems = extras.slice(0, MAX_EXTRAS_NAMED).map((name) => ({
    field: fieldOf(name),
    ...extraFeature(name, signature, names),
  }));
  if (extras.length > MAX_EXTRAS_NAMED) {
    const more = extras.length - MAX_EXTRAS_NAMED;
    problems.push({ field: 'features', message: `${more} more names are no features of this model` });
  }
  return problems;
}

function extraFeature(name: string, signature: Signature, names: readonly string[]): Omit<Problem, 'field'> {
  if (name === signature.entity) return { message: 'identifies the entity: send it as entity_id beside features' };
  if (name === signature.target.column) return { message: 'is what the model predicts: leave it out' };
  const near = nearestName(name, names);
  if (near !== null) return { message: 'is no feature of this model; the nearest is', allowed: [near] };
  return { message: 'is no feature of this model', ...capped(names) };
}

function expectation(spec: FeatureSpec): string {
  if (spec.type === 'category')
    return spec.categories === undefined ? 'a string' : 'a string, one of the known categories';
  if (spec.type === 'boolean') return 'true or false';
  const kind = spec.type === 'integer' ? 'a whole JSON number' : 'a JSON number';
  return `${kind}${rangeText(spec)}`;
}

function rangeText(spec: FeatureSpec): string {
  const range = rangeOf(spec);
  return range === null ? '' : ` ${range}`;
}

function rangeOf(spec: FeatureSpec): string | null {
  if (spec.min !== undefined && spec.max !== undefined) return `from ${spec.min} to ${spec.max}`;
  if (spec.min !== undefined) return `of at least ${spec.min}`;
  return spec.max === undefined ? null : `of at most ${spec.max}`;
}

function allowed(spec: FeatureSpec): { readonly allowed?: readonly string[] } {
  if (spec.type === 'category') return spec.categories === undefined ? {} : capped(spec.categories);
  if (spec.type === 'boolean') return { allowed: ['true', 'false'] };
  const range = rangeOf(spec);
  return range === null ? {} : { allowed: [range] };
}

function capped(names: readonly string[]): { readonly allowed: readonly string[] } {
  if (names.length <= MAX_ALLOWED_NAMED) return { allowed: names };
  const more = names.length - MAX_ALLOWED_NAMED;
  return { allowed: [...names.slice(0, MAX_ALLOWED_NAMED), `and ${more} more`] };
}

function shown(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `the string "${value.length > MAX_QUOTED_CHARS ? `${value.slice(0, MAX_QUOTED_CHARS)}...` : value}"`;
    case 'number':
    case 'boolean':
      return `the ${typeof value} ${value}`;
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? 'an array' : 'an object';
    default:
      return typeof value;
  }
}
