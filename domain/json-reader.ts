import type { Problem } from './errors.ts';
import { nearestName } from './nearest-name.ts';

/**
 * Reads one JSON object field by field and collects everything that is wrong. It has no dependency, so that workflows
 * can check what a person typed into a form.
 */
export interface JsonReader {
  /** The field's value when `accepts` says yes; else a problem that names what is expected. Absent and `null`: undefined. */
  readonly optional: <T>(name: string, expected: Expected<T>) => T | undefined;
  readonly required: <T>(name: string, expected: Expected<T>) => T | undefined;
  /** A reader for the object in a field; its problems land here too. */
  readonly object: (name: string) => JsonReader | undefined;
  /** Readers for the objects of a list. */
  readonly list: (name: string) => readonly JsonReader[] | undefined;
  readonly report: (problem: Problem) => void;
  /** Call last: reports every field nobody asked for. */
  readonly finish: () => void;
}

export interface Expected<T> {
  /** In words, for `expected ...`. */
  readonly words: string;
  readonly allowed?: readonly string[];
  readonly accepts: (value: unknown) => value is T;
}

export const text: Expected<string> = {
  words: 'a text of 1 to 500 characters',
  accepts: (v): v is string => typeof v === 'string' && v.length > 0 && v.length <= 500,
};

export const flag: Expected<boolean> = {
  words: 'true or false',
  allowed: ['true', 'false'],
  accepts: (v): v is boolean => typeof v === 'boolean',
};

export const number: Expected<number> = {
  words: 'a number',
  accepts: (v): v is number => typeof v === 'number' && Number.isFinite(v),
};

export function wholeNumber(min: number, max: number): Expected<number> {
  return {
    words: 'a whole number',
    allowed: [`${min}..${max}`],
    accepts: (v): v is number => typeof v === 'number' && Number.isInteger(v) && v >= min && v <= max,
  };
}

export function oneOf<const T extends string>(names: readonly T[]): Expected<T> {
  const known: readonly string[] = names;
  return {
    words: 'one of the names',
    allowed: names,
    accepts: (v): v is T => typeof v === 'string' && known.includes(v),
  };
}

export function listOf<const T extends string>(names: readonly T[]): Expected<readonly T[]> {
  const one = oneOf(names);
  return {
    words: 'a list of names, each once',
    allowed: names,
    accepts: (v): v is readonly T[] =>
      Array.isArray(v) && v.length > 0 && v.every((item) => one.accepts(item)) && new Set(v).size === v.length,
  };
}

export function isJsonObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `path` leads each problem's field; `''` at the top. */
export function createJsonReader(
  raw: Readonly<Record<string, unknown>>,
  report: (problem: Problem) => void,
  path = '',
): JsonReader {
  const asked = new Set<string>();
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const wrong = (name: string, expected: string, allowed?: readonly string[]): void => {
    const message = `expected ${expected}, found ${found(raw[name])}`;
    report({ field: at(name), message, ...(allowed === undefined ? {} : { allowed }) });
  };
  const get = (name: string): unknown => {
    asked.add(name);
    return Object.hasOwn(raw, name) ? raw[name] : undefined;
  };
  const optional = <T>(name: string, expected: Expected<T>): T | undefined => {
    const value = get(name);
    if (value === undefined || value === null) return undefined;
    if (expected.accepts(value)) return value;
    wrong(name, expected.words, expected.allowed);
    return undefined;
  };
  return {
    optional,
    required: (name, expected) => {
      const value = get(name);
      if (value !== undefined && value !== null) return optional(name, expected);
      wrong(name, expected.words, expected.allowed);
      return undefined;
    },
    object: (name) => {
      const value = get(name);
      if (value === undefined || value === null) return undefined;
      if (isJsonObject(value)) return createJsonReader(value, report, at(name));
      wrong(name, 'an object');
      return undefined;
    },
    list: (name) => {
      const value = get(name);
      if (value === undefined || value === null) return undefined;
      if (!Array.isArray(value)) {
        wrong(name, 'a list');
        return undefined;
      }
      return value.flatMap((item: unknown, i) => {
        const field = `${at(name)}[${i}]`;
        if (isJsonObject(item)) return [createJsonReader(item, report, field)];
        report({ field, message: `expected an object, found ${found(item)}` });
        return [];
      });
    },
    report,
    finish: () => {
      const names = [...asked];
      for (const name of Object.keys(raw)) {
        if (asked.has(name)) continue;
        const near = nearestName(name, names);
        const message = near === null ? 'is not a field here' : `is not a field here, did you mean ${near}?`;
        report({ field: at(name), message, allowed: names });
      }
    },
  };
}

function found(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (typeof value === 'string') return `the text "${value.length > 40 ? `${value.slice(0, 40)}...` : value}"`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'an object';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
}

export type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out what was not given, so that an absent field stays absent. */
export function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;
}
