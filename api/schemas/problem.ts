import { z } from '@hono/zod-openapi';
import { ERROR_CODES } from '../../domain/errors.ts';
import type { ErrorCode, Problem } from '../../domain/errors.ts';
import { optional } from './optional.ts';

const CODES = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

export const fieldProblemSchema = z
  .strictObject({
    field: z.string().openapi({ example: 'features.Contract' }),
    message: z.string().openapi({ example: 'is not a category the model knows' }),
    allowed: optional(z.array(z.string())),
  })
  .openapi('FieldProblem') satisfies z.ZodType<Problem>;

export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    instance: z.string(),
    request_id: z.string(),
    error: z.enum(CODES),
    problems: z.array(fieldProblemSchema),
  })
  .openapi('Problem', { description: 'Problem details (RFC 9457), with the code and every field that is wrong' });
