import { z } from '@hono/zod-openapi';
import { RISK_CATEGORIES } from '../../domain/records.ts';
import { optional } from '../schemas/optional.ts';
import { fieldProblemSchema } from '../schemas/problem.ts';
import type { AnsweredRow } from './answer-rows.ts';

/** One prediction of KServe v1 and MLflow: flat, so that a list of them is a data frame. */
export const predictionRecordSchema = z
  .strictObject({
    probability: z.number().min(0).max(1).openapi({ description: 'Of the positive class' }),
    label: z.string(),
    risk: z.enum(RISK_CATEGORIES),
    model_version: z.int(),
    request_id: z.uuid().openapi({ description: 'Names this prediction, for feedback' }),
    warnings: z.array(fieldProblemSchema).openapi({ description: 'Values the model has not seen in training' }),
    degraded: optional(z.literal(true)).openapi({
      description: 'The champion failed: this is the fallback of the model',
    }),
  })
  .openapi('PredictionRecord', {
    example: {
      probability: 0.71,
      label: 'Yes',
      risk: 'high',
      model_version: 2,
      request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427',
      warnings: [],
    },
  });

export function predictionRecord({ probability, label, risk, version, requestId, warnings, degraded }: AnsweredRow) {
  const record = { probability, label, risk, model_version: version, request_id: requestId, warnings };
  return degraded === undefined ? record : { ...record, degraded };
}
