import type { Config } from '../adapters/config.ts';
import { DomainError } from '../domain/errors.ts';

/** @throws DomainError `invalidInput` when no database is configured */
export function databaseUrlOf({ databaseUrl }: Pick<Config, 'databaseUrl'>): string {
  if (databaseUrl !== null) return databaseUrl;
  throw new DomainError('invalidInput', 'No database is configured', [
    { field: 'DATABASE_URL', message: 'expected postgres://user:password@host:port/database' },
  ]);
}
