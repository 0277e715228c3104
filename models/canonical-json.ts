import { DomainError } from '../domain/errors.ts';

/**
 * One text per value, whatever the order its keys were written in: keys sorted by UTF-16 code units, no white space,
 * numbers as ECMAScript prints them (the rules of RFC 8785). Digests are made over this text. Keys whose value is
 * `undefined` are left out, as JSON does.
 * @throws DomainError `invalidInput` for a value JSON cannot hold (NaN, an infinite number, a function, a bigint)
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item)).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member)}`);
    return `{${entries.join(',')}}`;
  }
  throw new DomainError(
    'invalidInput',
    `JSON cannot hold a value of type ${typeof value === 'number' ? 'infinite number or NaN' : typeof value}`,
  );
}
