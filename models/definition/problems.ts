import { z } from 'zod';
import type { Problem } from '../../domain/errors.ts';
import { nearestName } from '../nearest-name.ts';

/** A problem and where its value sits in the document, for the line number. */
export interface LocatedProblem extends Problem {
  readonly path: readonly PropertyKey[];
}

type Issue = z.core.$ZodIssue;

/** `['rollout','canary','steps',1,'bakeTime']` as `rollout.canary.steps[1].bakeTime`. */
function fieldName(path: readonly PropertyKey[]): string {
  return path.reduce<string>((name, part) => {
    if (typeof part === 'number') return `${name}[${part}]`;
    return name === '' ? String(part) : `${name}.${String(part)}`;
  }, '');
}

/** Every issue of a failed parse as a sentence; unknown keys name the allowed ones and the one that was meant. */
export function explainIssues(schema: z.ZodType, raw: unknown, issues: readonly Issue[]): LocatedProblem[] {
  const shape = z.toJSONSchema(schema, { io: 'input' }) as Shape;
  return issues.flatMap((issue) => explainIssue(shape, raw, issue, issue.path));
}

function explainIssue(shape: Shape, raw: unknown, issue: Issue, path: readonly PropertyKey[]): LocatedProblem[] {
  if (issue.code === 'invalid_union') {
    if (valueAt(raw, path) === undefined) return [problem(path, 'is missing')];
    const branch = meantBranch(issue.errors);
    if (branch === null) return [problem(path, `expected ${describeUnion(issue.errors)}, found ${found(raw, path)}`)];
    return branch.flatMap((inner) => explainIssue(shape, raw, inner, [...path, ...inner.path]));
  }
  if (issue.code === 'unrecognized_keys') {
    const allowed = keysAt(shape, path);
    return issue.keys.map((key) => {
      const meant = nearestName(key, allowed);
      const message = `unknown key${meant === null ? '' : `, did you mean "${meant}"?`}`;
      return { ...problem([...path, key], message), allowed };
    });
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => problem(path, `cannot be a name: ${inner.message}`));
  }
  if (issue.code === 'invalid_value') {
    const allowed = issue.values.map(String);
    return [
      { ...problem(path, valueAt(raw, path) === undefined ? 'is missing' : `cannot be ${found(raw, path)}`), allowed },
    ];
  }
  return [problem(path, sentence(issue, raw, path))];
}

function sentence(issue: Issue, raw: unknown, path: readonly PropertyKey[]): string {
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message;
  if (valueAt(raw, path) === undefined) return 'is missing';
  if (issue.code === 'invalid_type') {
    const own = issue.message.startsWith('Invalid input') ? `expected ${article(issue.expected)}` : issue.message;
    return `${own}, found ${found(raw, path)}`;
  }
  if (issue.code === 'too_small') {
    const bound = `${issue.inclusive === false ? 'more than' : 'at least'} ${issue.minimum}`;
    return `must be ${bound}${unit(issue.origin)}, found ${found(raw, path)}`;
  }
  if (issue.code === 'too_big') {
    const bound = `${issue.inclusive === false ? 'less than' : 'at most'} ${issue.maximum}`;
    return `must be ${bound}${unit(issue.origin)}, found ${found(raw, path)}`;
  }
  if (issue.code === 'not_multiple_of') return `must be a multiple of ${issue.divisor}, found ${found(raw, path)}`;
  return issue.message;
}

const unit = (origin: string): string =>
  origin === 'string' ? ' characters long' : origin === 'array' ? ' items long' : '';

const article = (expected: string): string =>
  ({
    int: 'a whole number',
    array: 'a list',
    object: 'a mapping',
    record: 'a mapping',
    boolean: 'true or false',
    string: 'text',
  })[expected] ?? `a ${expected}`;

const problem = (path: readonly PropertyKey[], message: string): LocatedProblem => ({
  path,
  field: path.length === 0 ? 'model' : fieldName(path),
  message,
});

/**
 * Of a union's branches the one whose type fits the value: its complaints are about parts of it, or about its rules.
 * The others only say that the type as a whole is another.
 */
function meantBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const fitting = branches.filter((issues) => {
    const first = issues[0];
    const wholeType = first?.path.length === 0 && (first.code === 'invalid_type' || first.code === 'invalid_value');
    return !wholeType;
  });
  const [only] = fitting;
  return fitting.length === 1 && only !== undefined ? only : null;
}

function describeUnion(branches: readonly (readonly Issue[])[]): string {
  return branches
    .map(([first]) => {
      if (first?.code === 'invalid_value') return `one of ${first.values.map(String).join(', ')}`;
      return first?.code === 'invalid_type' ? article(first.expected) : 'another value';
    })
    .join(' or ');
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => {
    if (typeof value !== 'object' || value === null) return undefined;
    return (value as Record<PropertyKey, unknown>)[part];
  }, raw);
}

/** What was found, short: a file may hold anything, and an error is read in a terminal. */
const FOUND_LENGTH_MAX = 60;
function found(raw: unknown, path: readonly PropertyKey[]): string {
  const value = valueAt(raw, path);
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'a mapping';
  const text = JSON.stringify(value);
  return text.length > FOUND_LENGTH_MAX ? `${text.slice(0, FOUND_LENGTH_MAX)}...` : text;
}

/** The parts of a JSON Schema that say which keys an object may have. */
interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
}

function keysAt(shape: Shape, path: readonly PropertyKey[]): string[] {
  let at: Shape | undefined = shape;
  for (const part of path) {
    const object: Shape | undefined = objectOf(at);
    const rest = object?.additionalProperties;
    if (typeof part === 'number') at = object?.items;
    else at = object?.properties?.[String(part)] ?? (typeof rest === 'object' ? rest : undefined);
  }
  return Object.keys(objectOf(at)?.properties ?? {});
}

/** Of a union the member with parts. */
const objectOf = (shape: Shape | undefined): Shape | undefined =>
  shape?.anyOf?.find((s) => s.properties !== undefined || s.items !== undefined) ?? shape;
