import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { describeProblems, DomainError, ERROR_CODES } from '../domain/errors.ts';

/**
 * The one translator of broken rules into Temporal failures: the code is the type, the catalogue says whether a retry
 * can help, the problems are the details. What is not a `DomainError` is `internal` and retried.
 */
export function toFailure(error: unknown): Error {
  if (error instanceof ApplicationFailure || error instanceof CancelledFailure) return error;
  if (error instanceof DomainError) {
    const { code, problems } = error;
    const message = problems.length === 0 ? error.message : `${error.message}: ${describeProblems(problems)}`;
    const nonRetryable = !ERROR_CODES[code].retryable;
    return ApplicationFailure.create({ type: code, message, nonRetryable, details: [problems] });
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  return ApplicationFailure.create({ type: 'internal', message: cause.message, nonRetryable: false, cause });
}

type Activity = (input: never) => Promise<unknown>;

/** The same activities with every failure translated. */
export function withFailures<T extends { [K in keyof T]: Activity }>(activities: T): T {
  const wrap =
    (activity: Activity): Activity =>
    async (input) => {
      try {
        return await activity(input);
      } catch (error) {
        throw toFailure(error);
      }
    };
  const entries = Object.entries<Activity>(activities).map(([name, activity]) => [name, wrap(activity)] as const);
  return Object.fromEntries(entries) as unknown as T;
}
