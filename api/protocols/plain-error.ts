import { z } from '@hono/zod-openapi';
import { errorText, protocolStatusOf } from '../error-form.ts';
import type { ErrorForm } from '../error-form.ts';

/** `{"error": "..."}`: the Open Inference Protocol and KServe v1. */
export const plainErrorForm: ErrorForm = {
  schema: z.strictObject({ error: z.string() }).openapi('InferenceError'),
  statusOf: protocolStatusOf,
  body: (error) => ({ error: errorText(error) }),
};
