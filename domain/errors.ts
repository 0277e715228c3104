/**
 * The one catalogue of broken rules. Code anywhere throws `DomainError`; exactly two places translate it:
 * `activities/failures.ts` (to Temporal failures) and `api/error-handler.ts` (to HTTP problems).
 */
export const ERROR_CODES = {
  invalidInput: { status: 422, retryable: false },
  malformedRequest: { status: 400, retryable: false },
  unauthenticated: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  notFound: { status: 404, retryable: false },
  methodNotAllowed: { status: 405, retryable: false },
  conflict: { status: 409, retryable: false },
  payloadTooLarge: { status: 413, retryable: false },
  unsupportedMediaType: { status: 415, retryable: false },
  /** A rule of the platform says no (for example a version whose gates failed may not be rolled out). */
  refused: { status: 409, retryable: false },
  /** Another region owns the epoch, or a restore is under way: control writes are not taken here. */
  fenced: { status: 409, retryable: false },
  /** It was done before, by a request with the same idempotency key, whose answer is not kept. */
  alreadyDone: { status: 409, retryable: false },
  /** The caller's share is used up for now. */
  rateLimited: { status: 429, retryable: true },
  dataInvalid: { status: 422, retryable: false },
  trainingFailed: { status: 500, retryable: false },
  artefactCorrupt: { status: 500, retryable: false },
  unavailable: { status: 503, retryable: true },
  /** More is asked than can be answered in time. */
  overloaded: { status: 503, retryable: true },
  internal: { status: 500, retryable: true },
} as const satisfies Record<string, { status: number; retryable: boolean }>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** One thing that is wrong: where, what was found, what is allowed. */
export interface Problem {
  /** Path of the field, for example `features.Contract` or `plan.steps[1].bakeTime`. */
  readonly field: string;
  /** One sentence for a person. */
  readonly message: string;
  /** What would be accepted, where a list or range can be named. */
  readonly allowed?: readonly string[];
}

export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly problems: readonly Problem[];
  /** When a retry may succeed, where that is known. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: ErrorCode,
    message: string,
    problems: readonly Problem[] = [],
    retryAfterSeconds: number | null = null,
  ) {
    super(message);
    this.name = 'DomainError';
    this.code = code;
    this.problems = problems;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Renders problems as one sentence each, for terminals, Temporal failures and logs. */
export function describeProblems(problems: readonly Problem[]): string {
  return problems
    .map((p) => {
      const allowed = p.allowed === undefined || p.allowed.length === 0 ? '' : ` (allowed: ${p.allowed.join(', ')})`;
      return `${p.field}: ${p.message}${allowed}`;
    })
    .join('; ');
}
