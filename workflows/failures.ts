import { ActivityFailure, ApplicationFailure, ChildWorkflowFailure } from '@temporalio/workflow';
import { describeProblems, type ErrorCode } from '../domain/errors.ts';
import type { Parsed } from '../domain/workflow-input.ts';

/** The input, or an end at once that names every wrong field and what is allowed. */
export function requireInput<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw failure('invalidInput', `The input cannot be used: ${describeProblems(parsed.problems)}`, parsed.problems);
}

export function failure(code: ErrorCode, message: string, problems: readonly unknown[] = []): ApplicationFailure {
  return ApplicationFailure.create({ type: code, message, nonRetryable: true, details: [problems] });
}

/** What an activity or child really failed with: operators read the first line, not `Activity task failed`. */
export function explained(error: unknown): unknown {
  if (!(error instanceof ActivityFailure) && !(error instanceof ChildWorkflowFailure)) return error;
  const { cause } = error;
  if (cause instanceof ApplicationFailure) {
    const { message, type, details } = cause;
    return ApplicationFailure.create({
      message,
      nonRetryable: true,
      cause,
      ...(type == null ? {} : { type }),
      ...(details == null ? {} : { details }),
    });
  }
  return error;
}

/** Code of the catalogue that an activity failed with; `null` for timeouts and the like. */
export function codeOf(error: unknown): string | null {
  if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) return error.cause.type ?? null;
  return null;
}

/** One line on what went wrong. */
export function reasonOf(error: unknown): string {
  let root = error;
  while (root instanceof Error && root.cause instanceof Error) root = root.cause;
  return root instanceof Error ? root.message : String(root);
}
