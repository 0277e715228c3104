import { DomainError } from '../domain/errors.ts';

/** What the driver and the operating system say when no answer can come back. */
const CONNECTION_FAILURES = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
]);

/** SQLSTATEs after which the same statement may succeed later (PostgreSQL documentation, appendix A). */
const PASSING_STATES = new Set([
  '25006', // read-only: a standby answers during a failover
  '25P03', // idle in transaction too long
  '28P01', // the password is wrong: an operator's change may be under way
  '3D000', // the database does not exist (yet)
  '40001', // serialisation failure
  '40P01', // deadlock
  '55P03', // lock not available
  '57014', // cancelled by the statement timeout
  '58030', // I/O error
]);
/** Connection exceptions, insufficient resources (too many connections, disk full), shutdown and start-up. */
const PASSING_CLASSES = ['08', '53', '57P'];

interface DatabaseFailure {
  readonly code: string;
  readonly message: string;
  readonly constraint: string | null;
}

/** The driver's error inside whatever wraps it. drizzle's wrapper lists the statement's parameters: it never leaves here. */
export function databaseFailure(error: unknown): DatabaseFailure | null {
  let current: unknown = error;
  // Wrappers nest once (drizzle) or twice (a transaction inside it); the bound is against a cycle.
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ('code' in current && typeof current.code === 'string') {
      const constraint = 'constraint_name' in current ? current.constraint_name : null;
      const name = typeof constraint === 'string' ? constraint : null;
      return { code: current.code, message: current.message, constraint: name };
    }
    current = current.cause;
  }
  return null;
}

export function isUniqueViolation(error: unknown): boolean {
  return databaseFailure(error)?.code === '23505';
}

/**
 * Translates what the database or its driver threw. The result holds the SQLSTATE and the server's sentence, never
 * the statement's parameters (they may be features or hashes of keys).
 */
export function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  const failure = databaseFailure(error);
  if (failure === null) {
    const message = error instanceof Error ? error.name : typeof error;
    return new DomainError('internal', `The registry failed unexpectedly (${message})`);
  }
  const { code, message } = failure;
  if (CONNECTION_FAILURES.has(code)) {
    return new DomainError('unavailable', `The registry's database cannot be reached (${code})`);
  }
  if (PASSING_STATES.has(code) || PASSING_CLASSES.some((c) => code.startsWith(c))) {
    return new DomainError('unavailable', `The registry's database cannot answer now (${code}: ${message})`);
  }
  if (code === '23505') return new DomainError('conflict', `The registry holds this already (${message})`);
  // Class 22, data exceptions: a NUL in a text, a number outside its column, a malformed id.
  if (code.startsWith('22')) {
    return new DomainError('invalidInput', `A value cannot be stored or compared (${code}: ${message})`);
  }
  return new DomainError('internal', `The registry's database refused a statement (${code}: ${message})`);
}
