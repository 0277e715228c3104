import type { Config } from '../adapters/config.ts';
import { DomainError } from '../domain/errors.ts';

export interface ServiceAddresses {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
}

/** @throws DomainError `invalidInput` naming what is not configured */
export function requireAddresses({
  databaseUrl,
  temporalAddress,
}: Pick<Config, 'databaseUrl' | 'temporalAddress'>): ServiceAddresses {
  if (databaseUrl !== null && temporalAddress !== null) return { databaseUrl, temporalAddress };
  const database = { field: 'DATABASE_URL', message: 'expected postgres://user:password@host:port/database' };
  const temporal = { field: 'TEMPORAL_ADDRESS', message: 'expected host:port' };
  throw new DomainError('invalidInput', 'A service that the API needs is not configured', [
    ...(databaseUrl === null ? [database] : []),
    ...(temporalAddress === null ? [temporal] : []),
  ]);
}
