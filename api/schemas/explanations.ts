import { z } from '@hono/zod-openapi';
import { optional } from './optional.ts';

/** Contributions named when nobody says how many. */
const TOP_DEFAULT = 5;
const TOP_MAX = 1_000;

const topSchema = z.coerce.number().int().min(0).max(TOP_MAX).default(TOP_DEFAULT).openapi({
  type: 'integer',
  minimum: 0,
  maximum: TOP_MAX,
  description: 'Contributions named; the rest is summed up',
  example: TOP_DEFAULT,
});

/** Of a prediction. */
export const explainQuery = z.strictObject({
  explain: optional(z.enum(['true', 'false'])).openapi({ description: 'Asks why; some milliseconds' }),
  top: topSchema,
});
export const topQuery = z.object({ top: topSchema });

const contributionSchema = z
  .strictObject({
    feature: z.string(),
    value: z.union([z.string(), z.number(), z.boolean(), z.null()]).openapi({ description: 'As it was sent' }),
    contribution: z.number().openapi({ description: 'SHAP value: added to the log odds of the positive class' }),
  })
  .openapi('Contribution');

const explainedSchema = z
  .strictObject({
    base: z.number().openapi({ description: 'Mean log odds over the training rows' }),
    logit: z.number().openapi({ description: 'Log odds of this row: base, contributions and others summed up' }),
    contributions: z.array(contributionSchema).openapi({ description: 'The largest in size first' }),
    others: z.number().openapi({ description: 'Sum of the contributions that are not named' }),
    cost_ms: z.number().openapi({ description: 'What the explanation added to the answer' }),
  })
  .openapi('Explanation', {
    example: {
      base: -1.31,
      logit: 0.89,
      contributions: [
        { feature: 'contract', value: 'monthly', contribution: 1.2 },
        { feature: 'tenure', value: 12, contribution: 0.7 },
      ],
      others: 0.3,
      cost_ms: 0.9,
    },
  });

const refusedSchema = z
  .strictObject({ refused: z.string() })
  .openapi('RefusedExplanation', { description: 'The prediction holds; why it is not explained' });

export const explanationSchema = z.union([explainedSchema, refusedSchema]);
