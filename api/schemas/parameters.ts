/** Path and query parameters, and the names that several bodies share. */
import { z } from '@hono/zod-openapi';

/** Rows a list answers with when the caller names no limit, and at most. */
const LIST_LIMIT_DEFAULT = 50;
const LIST_LIMIT_MAX = 500;
/** Postgres `integer`. */
const VERSION_MAX = 2_147_483_647;
const REASON_LENGTH_MAX = 500;

/** Loose on purpose: a name that no model has is answered with 404 and the names there are. No text here holds NUL. */
export const modelNameSchema = z
  .string()
  .min(1)
  .max(100)
  // eslint-disable-next-line no-control-regex -- NUL is what this is about
  .regex(/^[^\u0000]*$/, 'holds the character U+0000')
  .openapi({ example: 'churn' });
export const versionNumberSchema = z.int().min(1).max(VERSION_MAX).openapi({ example: 2 });
export const reasonSchema = z.string().max(REASON_LENGTH_MAX).openapi({ example: 'better on the spring data' });
export const timestampSchema = z.iso.datetime().openapi({ example: '2026-03-01T09:30:00.000Z' });

export const modelParams = z.strictObject({ model: modelNameSchema });
export const versionParams = z.strictObject({
  model: modelNameSchema,
  version: z.coerce
    .number()
    .int()
    .min(1)
    .max(VERSION_MAX)
    .openapi({ type: 'integer', minimum: 1, maximum: VERSION_MAX, example: 2 }),
});
export const limitQuery = z.coerce
  .number()
  .int()
  .min(1)
  .max(LIST_LIMIT_MAX)
  .default(LIST_LIMIT_DEFAULT)
  .openapi({ type: 'integer', minimum: 1, maximum: LIST_LIMIT_MAX, example: LIST_LIMIT_DEFAULT });
