import { DomainError } from '../../domain/errors.ts';

/** Overload passes in seconds or not at all; callers that come back spread by then. */
const RETRY_AFTER_SECONDS = 1;

export const overloaded = (): DomainError =>
  new DomainError('overloaded', 'More is asked than can be answered in time; try again', [], RETRY_AFTER_SECONDS);

export const overdue = (): DomainError =>
  new DomainError('overloaded', 'The prediction took too long and was given up; try again', [], RETRY_AFTER_SECONDS);

/** Declared length of a body; `limitBytes` where none is declared and the body comes in chunks. */
export function bodyBytesOf(
  headers: { readonly 'content-length'?: string | undefined; readonly 'transfer-encoding'?: string | undefined },
  limitBytes: number,
): number {
  const declared = Number(headers['content-length'] ?? NaN);
  if (declared >= 0) return Math.min(declared, limitBytes);
  return headers['transfer-encoding'] === undefined ? 0 : limitBytes;
}
