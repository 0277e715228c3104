import { isUtf8 } from 'node:buffer';
import { DomainError } from '../../domain/errors.ts';
import { parseJson } from '../request-body.ts';

/** A string, or the bare word that Python writes for a missing float. */
const STRING_OR_NAN = /"(?:[^"\\]|\\.)*"|\bNaN\b/g;

/**
 * JSON as Python clients write it: the bare `NaN` of a missing float reads as `null`, which is how JSON says missing.
 * `Infinity` stays an error.
 * @throws DomainError `malformedRequest` with the position
 */
function parseClientJson(bytes: Buffer): unknown {
  if (!bytes.includes('NaN') || !isUtf8(bytes)) return parseJson(bytes);
  const text = bytes.toString('utf8').replace(STRING_OR_NAN, (found) => (found === 'NaN' ? 'null' : found));
  return parseJson(Buffer.from(text, 'utf8'));
}

export type Fields = Readonly<Record<string, unknown>>;

export const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws DomainError `invalidInput` when the body is JSON but no object */
export function parseClientObject(bytes: Buffer): Fields {
  const value = parseClientJson(bytes);
  if (isObject(value)) return value;
  throw new DomainError('invalidInput', 'The body cannot be used as it is', [
    { field: 'body', message: 'expected an object' },
  ]);
}
