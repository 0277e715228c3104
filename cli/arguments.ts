/** Reads values of the command line; a wrong one is named together with what is allowed. */
import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../models/definition/duration.ts';

export function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < minimum || value > maximum || text.trim() === '') {
      const upTo = maximum === Number.MAX_SAFE_INTEGER ? 'or more' : `to ${maximum}`;
      throw new InvalidArgumentError(`Expected a whole number, ${minimum} ${upTo}.`);
    }
    return value;
  };
}

/** Milliseconds. */
export function duration(text: string): number {
  const ms = text === '0' ? 0 : parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Expected a duration such as 500ms, 30s, 5m, 2h or 1d.');
  return ms;
}

/** ISO 8601 time. */
export function time(text: string): string {
  const parsed = new Date(text);
  if (Number.isNaN(parsed.getTime())) throw new InvalidArgumentError('Expected a time such as 2026-03-01T12:00:00Z.');
  return parsed.toISOString();
}

/** A list separated by commas, each of `allowed`. */
export function listOf<T extends string>(allowed: readonly T[]): (text: string) => readonly T[] {
  return (text) =>
    text.split(',').map((part) => {
      const found = allowed.find((value) => value === part.trim());
      if (found === undefined) throw new InvalidArgumentError(`Allowed: ${allowed.join(', ')}.`);
      return found;
    });
}
