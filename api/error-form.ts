import type { z } from 'zod';
import type { DomainError, ErrorCode } from '../domain/errors.ts';
import { ERROR_CODES } from '../domain/errors.ts';

/** How a compatibility protocol says that a request failed, in place of problem details: plain `application/json`. */
export interface ErrorForm {
  /** For the documentation. */
  readonly schema: z.ZodType;
  statusOf(code: ErrorCode): number;
  body(error: DomainError): object;
}

/** Problems spelled out in one text; the rest is counted. */
const PROBLEMS_SHOWN_MAX = 20;

/** The error as one text, for protocols that have no place for a list: what is wrong, then each field with its fault. */
export function errorText({ message, problems }: DomainError): string {
  if (problems.length === 0) return message;
  const shown = problems.slice(0, PROBLEMS_SHOWN_MAX).map((p) => {
    const allowed = p.allowed === undefined || p.allowed.length === 0 ? '' : ` (allowed: ${p.allowed.join(', ')})`;
    return p.field === '' ? p.message : `${p.field}: ${p.message}${allowed}`;
  });
  const rest = problems.length - shown.length;
  return `${message}: ${shown.join('; ')}${rest === 0 ? '' : `; and ${rest} more`}`;
}

/** The protocols know one status for input that cannot be used: 400. */
export function protocolStatusOf(code: ErrorCode): number {
  return code === 'invalidInput' ? 400 : ERROR_CODES[code].status;
}
