import { z } from '@hono/zod-openapi';
import type { ErrorCode } from '../../../domain/errors.ts';
import { errorText, protocolStatusOf } from '../../error-form.ts';
import type { ErrorForm } from '../../error-form.ts';

/** MLflow's own codes (mlflow/protos/databricks.proto) where it has one that says it. */
const SCORING_CODES: Partial<Record<ErrorCode, string>> = {
  unauthenticated: 'UNAUTHENTICATED',
  forbidden: 'PERMISSION_DENIED',
  notFound: 'RESOURCE_DOES_NOT_EXIST',
  rateLimited: 'REQUEST_LIMIT_EXCEEDED',
};

const codeOf = (code: ErrorCode): string => SCORING_CODES[code] ?? codeOfStatus(protocolStatusOf(code));

function codeOfStatus(status: number): string {
  if (status === 503) return 'TEMPORARILY_UNAVAILABLE';
  return status >= 500 ? 'INTERNAL_ERROR' : 'BAD_REQUEST';
}

/** `{"error_code": "...", "message": "..."}`. */
export const scoringErrorForm: ErrorForm = {
  schema: z.strictObject({ error_code: z.string(), message: z.string() }).openapi('ScoringError'),
  statusOf: protocolStatusOf,
  body: (error) => ({ error_code: codeOf(error.code), message: errorText(error) }),
};
