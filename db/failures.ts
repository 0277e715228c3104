import { DatabaseError } from 'pg';
import { DomainError } from '../domain/errors.ts';

/** What the operating system says when no answer can come back. */
const CONNECTION_FAILURES = new Set([
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

/** The driver's own sentences for a lost connection; its errors carry no code (node-postgres 8.23). */
const DRIVER_FAILURES: readonly (readonly [string, string])[] = [
  ['Connection terminated', 'the connection was lost'],
  ['Client has encountered a connection error', 'the connection was lost'],
  ['Client was closed', 'the connection was closed'],
  ['timeout exceeded when trying to connect', 'no free connection in time'],
  ['timeout expired', 'no connection in time'],
  ['Query read timeout', 'no answer in time'],
  ['Cannot use a pool after calling end', 'the connections were closed'],
];

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
/** Raised by our own trigger on control writes (migration `recovery`). */
const FENCED = 'SLFEN';
/** Our own sentences for a lease that may run again in a moment: the target is away, or the database has just started. */
const LEASE_AWAY = /does not hold the lease|has run out/;
/** Connection exceptions, insufficient resources (too many connections, disk full), shutdown and start-up. */
const PASSING_CLASSES = ['08', '53', '57P'];

interface DatabaseFailure {
  readonly code: string;
  readonly message: string;
}

/** The driver's error inside whatever wraps it. drizzle's wrapper lists the statement's parameters: it never leaves here. */
function databaseFailure(error: unknown): DatabaseFailure | null {
  for (const cause of causes(error)) {
    if ('code' in cause && typeof cause.code === 'string') return { code: cause.code, message: cause.message };
  }
  return null;
}

/**
 * Whether the server itself has said no, or our own code after its answers: the connection is in order then, and may
 * be used again.
 */
export function isAnswer(error: unknown): boolean {
  return error instanceof DomainError || causes(error).some((c) => c instanceof DatabaseError);
}

function lostConnection(error: unknown): string | null {
  for (const cause of causes(error)) {
    const known = DRIVER_FAILURES.find(([sentence]) => cause.message.startsWith(sentence));
    if (known !== undefined) return known[1];
  }
  return null;
}

/** The error and what it wraps. Wrappers nest once (drizzle) or twice (the pool); the bound is against a cycle. */
function causes(error: unknown): readonly Error[] {
  const found: Error[] = [];
  for (let current = error; current instanceof Error && found.length < 5; current = current.cause) found.push(current);
  return found;
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
    const lost = lostConnection(error);
    if (lost !== null) return new DomainError('unavailable', `The registry's database cannot be reached (${lost})`);
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
  if (code === FENCED) return fenced(message);
  if (code === '23505') return new DomainError('conflict', `The registry holds this already (${message})`);
  // Class 22, data exceptions: a NUL in a text, a number outside its column, a malformed id.
  if (code.startsWith('22')) {
    return new DomainError('invalidInput', `A value cannot be stored or compared (${code}: ${message})`);
  }
  return new DomainError('internal', `The registry's database refused a statement (${code}: ${message})`);
}

function fenced(message: string): DomainError {
  if (LEASE_AWAY.test(message))
    return new DomainError(
      'unavailable',
      `${message}: nobody takes control writes now (\`sluice region status\` tells)`,
    );
  return new DomainError('fenced', `${message}: no control writes are taken here (\`sluice region status\` tells)`);
}
