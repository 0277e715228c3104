import { createLogger } from '../adapters/logger.ts';
import { DomainError } from '../domain/errors.ts';

/** Says why a process of the API did not start, and ends it. */
export function failStart(error: unknown): void {
  const name = error instanceof DomainError ? error.message : 'The API did not start';
  createLogger({ level: 'error', name: 'api' }).fatal({ err: error }, name);
  process.exitCode = 1;
  setImmediate(() => process.exit(1));
}
