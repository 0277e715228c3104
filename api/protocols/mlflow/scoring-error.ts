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
  unavailable: 'TEMPORARILY_UNAVAILABLE',
  internal: 'INTERNAL_ERROR',
  artefactCorrupt: 'INTERNAL_ERROR',
  trainingFailed: 'INTERNAL_ERROR',
};

/** `{"error_code": "...", "message": "..."}`. */
export const scoringErrorForm: ErrorForm = {
  schema: z.strictObject({ error_code: z.string(), message: z.string() }).openapi('ScoringError'),
  statusOf: protocolStatusOf,
  body: (error) => ({ error_code: SCORING_CODES[error.code] ?? 'BAD_REQUEST', message: errorText(error) }),
};
