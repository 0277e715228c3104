import { z } from '@hono/zod-openapi';
import { ERROR_CODES } from '../../domain/errors.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { RISK_CATEGORIES } from '../../domain/records.ts';
import { explanationSchema } from './explanations.ts';
import { modelNameSchema, timestampSchema } from './parameters.ts';
import { fieldProblemSchema } from './problem.ts';
import { variantSchema } from './routing.ts';
import { optional } from './optional.ts';

export const ENTITY_ID_LENGTH_MAX = 256;
/** Rows of one batch: a few milliseconds of work, so that other callers are not kept waiting. */
export const BATCH_ROWS_MAX = 1000;
/** A row of 2,000 features of 100 characters each fits. */
export const PREDICT_LIMIT_BYTES = 256 * 1024;
/** 1,000 rows of 4 KiB. */
export const BATCH_LIMIT_BYTES = 4 * 1024 * 1024;

const CODES = Object.keys(ERROR_CODES) as [ErrorCode, ...ErrorCode[]];

const entityIdSchema = z.union([z.string().min(1).max(ENTITY_ID_LENGTH_MAX), z.int(), z.null()]).openapi({
  description: 'The same entity is answered by the same version as long as the weights stay',
  example: 'customer-4711',
});
/** The properties follow from the signature of the versions that serve; see the document of a running platform. */
const featuresSchema = z
  .record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))
  .openapi('Features', { description: 'Raw features by name, as the data has them' });

const instanceShape = { entity_id: optional(entityIdSchema), features: featuresSchema };

export const instanceSchema = z.strictObject(instanceShape).openapi('Instance');
export const predictSchema = z
  .strictObject({
    model: optional(modelNameSchema.nullable()).openapi({ description: 'Needed when several models are served' }),
    ...instanceShape,
  })
  .openapi('PredictRequest');
export const predictBatchSchema = z
  .strictObject({
    model: optional(modelNameSchema.nullable()),
    instances: z.array(instanceSchema).min(1).max(BATCH_ROWS_MAX),
  })
  .openapi('PredictBatchRequest');

export const predictionSchema = z
  .strictObject({
    request_id: z.uuid().openapi({ description: 'Names this prediction, for feedback' }),
    model: z.string(),
    model_version: z.int(),
    variant: variantSchema,
    probability: z.number().min(0).max(1),
    label: z.string(),
    risk: z.enum(RISK_CATEGORIES),
    threshold: z.number(),
    latency_ms: z.number(),
    warnings: z.array(fieldProblemSchema).openapi({ description: 'Values the model has not seen in training' }),
    degraded: optional(z.literal(true)).openapi({
      description: 'The champion failed: this is the fallback of the model',
    }),
    explanation: optional(explanationSchema).openapi({ description: 'Where `explain=true` asked for it' }),
  })
  .openapi('Prediction');

const refusedSchema = z
  .strictObject({ error: z.enum(CODES), problems: z.array(fieldProblemSchema) })
  .openapi('RefusedInstance');

export const batchAnswerSchema = z
  .strictObject({
    request_id: z.string(),
    model: z.string(),
    predictions: z.array(z.union([predictionSchema, refusedSchema])),
    latency_ms: z.number(),
  })
  .openapi('PredictBatchAnswer');

export const feedbackSchema = z
  .strictObject({
    request_id: optional(z.uuid()).openapi({ description: 'Of the prediction this is the truth of' }),
    entity_id: optional(z.union([z.string().min(1).max(ENTITY_ID_LENGTH_MAX), z.int()])),
    model: optional(modelNameSchema),
    label: z.union([z.string().min(1).max(256), z.number(), z.boolean()]).openapi({ example: 'Yes' }),
    occurred_at: optional(z.iso.datetime({ offset: true })).openapi({ description: 'Default: now' }),
  })
  .refine((f) => f.request_id !== undefined || f.entity_id !== undefined, {
    path: ['request_id'],
    error: 'give request_id, or entity_id',
  })
  .openapi('Feedback', {
    anyOf: [{ required: ['request_id'] }, { required: ['entity_id'] }],
    example: { request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427', label: 'Yes' },
  });

export const feedbackAnswerSchema = z
  .strictObject({
    accepted: z.literal(true),
    matched: z.int().min(0).openapi({ description: 'Recorded predictions this speaks of' }),
  })
  .openapi('FeedbackAnswer');

export const auditListSchema = z.strictObject({
  entries: z.array(
    z
      .strictObject({
        at: timestampSchema,
        actor: z.string(),
        action: z.string(),
        subject: z.string(),
        reason: z.string().nullable(),
        details: z.record(z.string(), z.unknown()),
      })
      .openapi('AuditEntry'),
  ),
});
