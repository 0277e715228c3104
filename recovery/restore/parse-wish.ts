import { DomainError } from '../../domain/errors.ts';
import type { RestoreWish } from './plan-restore.ts';

const POINT = /^point:(.{1,200})$/;
/** With a zone: the same words must not mean another moment on another machine. */
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:?\d{2})$/;
const FORMS = ['latest', 'a moment with its zone, as 2030-01-31T12:00:00Z', 'point:NAME'];

/** Reads what a person wants back. @throws DomainError `invalidInput` with the forms that are understood */
export function parseWish(text: string): RestoreWish {
  const wanted = text.trim();
  if (wanted === 'latest') return { kind: 'latest' };
  const point = POINT.exec(wanted)?.[1];
  if (point !== undefined) return { kind: 'point', name: point };
  const atMs = MOMENT.test(wanted) ? Date.parse(wanted.replace(' ', 'T')) : Number.NaN;
  if (!Number.isNaN(atMs)) return { kind: 'moment', atMs };
  throw new DomainError('invalidInput', 'This is nothing to restore to', [
    { field: 'to', message: `"${wanted.slice(0, 80)}" is not understood`, allowed: FORMS },
  ]);
}
