/** What Temporal's client throws, as broken rules. */
import {
  ServiceError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  isGrpcServiceError,
} from '@temporalio/client';
import { ApplicationFailure, CancelledFailure, TerminatedFailure, TimeoutFailure } from '@temporalio/common';
import { DomainError, ERROR_CODES } from '../domain/errors.ts';
import type { ErrorCode, Problem } from '../domain/errors.ts';

const isErrorCode = (type: string): type is ErrorCode => Object.hasOwn(ERROR_CODES, type);

function problemsIn(failure: ApplicationFailure): readonly Problem[] {
  const first: unknown = failure.details?.[0];
  if (!Array.isArray(first)) return [];
  return first.filter(
    (p: unknown): p is Problem => typeof p === 'object' && p !== null && 'field' in p && 'message' in p,
  );
}

/** The failure that started it: workflows wrap what their activities and children threw. */
function rootCause(error: Error): Error {
  let root = error;
  while (root.cause instanceof Error) root = root.cause;
  return root;
}

/**
 * A validator's refusal keeps its code, message and problems; everything that only says that Temporal is away is
 * `unavailable`.
 */
export function toDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  if (error instanceof WorkflowUpdateFailedError) {
    const cause = error.cause instanceof Error ? rootCause(error.cause) : error;
    if (!(cause instanceof ApplicationFailure)) return new DomainError('refused', cause.message);
    const code = typeof cause.type === 'string' && isErrorCode(cause.type) ? cause.type : 'refused';
    return new DomainError(code, cause.message, problemsIn(cause));
  }
  if (error instanceof WorkflowNotFoundError) return new DomainError('notFound', `${error.workflowId} is not known`);
  if (error instanceof ServiceError || isGrpcServiceError(error)) {
    return new DomainError(
      'unavailable',
      'Temporal does not answer. Asking again later is safe: one of a kind runs at a time',
    );
  }
  return new DomainError('internal', error instanceof Error ? error.message : 'unknown failure');
}

/** Why a workflow ended without a result, in one sentence; `null` when the error is not about that. */
export function explainFailure(error: unknown): string | null {
  if (!(error instanceof WorkflowFailedError)) return null;
  const cause = error.cause === undefined ? error : rootCause(error.cause);
  if (cause instanceof CancelledFailure) return 'It was cancelled';
  if (cause instanceof TerminatedFailure) return `It was terminated: ${cause.message}`;
  if (cause instanceof TimeoutFailure) return 'It ran out of time';
  return cause.message;
}
