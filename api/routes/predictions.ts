import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { answer } from '../answers.ts';
import type { Metrics } from '../../adapters/metrics.ts';
import type { AppEnv } from '../app-env.ts';
import { createPredictionAnswers } from '../hot-path/prediction-answers.ts';
import type { PredictionAnswers, PredictionDeps } from '../hot-path/prediction-answers.ts';
import { withExplanation } from '../explanations/explain-answer.ts';
import { timeExplanations } from '../explanations/time-explanations.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { chargeFurtherRows } from '../limits/limit-predictions.ts';
import type { Protection } from '../protection.ts';
import { parsePredictBatchBody, parsePredictBody } from '../predict-body.ts';
import type { PredictBatchBody, PredictBody } from '../predict-body.ts';
import { explainQuery } from '../schemas/explanations.ts';
import { modelParams } from '../schemas/parameters.ts';
import {
  BATCH_LIMIT_BYTES,
  BATCH_ROWS_MAX,
  PREDICT_LIMIT_BYTES,
  batchAnswerSchema,
  instanceSchema,
  predictBatchSchema,
  predictSchema,
  predictionSchema,
} from '../schemas/predictions.ts';
import type { Serving } from '../serving/contract.ts';

const FEATURES_EXAMPLE = { entity_id: 'customer-4711', features: { tenure: 12, contract: 'monthly' } };
const ANSWER_EXAMPLE = {
  request_id: '1b4e28ba-2fa1-4d3a-883f-0016d3cca427',
  model: 'churn',
  model_version: 2,
  variant: 'champion',
  probability: 0.71,
  label: 'Yes',
  risk: 'high',
  threshold: 0.52,
  latency_ms: 0.4,
  warnings: [],
};

const PREDICT_DESCRIPTION =
  'Takes one row as the data has it. What the model cannot take is refused field by field with status 422, or ' +
  'answered with a warning, as the model definition says; nothing is replaced silently. `explain=true` adds why: ' +
  'exact SHAP values, which with `base` sum up to the log odds of `probability`.';

const BATCH_ANSWERS = {
  200: {
    description: 'One answer per row, in order',
    schema: batchAnswerSchema,
    example: {
      request_id: '7d1f0f7e-6a39-4a3b-9d0e-3c9d5a0b6f11',
      model: 'churn',
      predictions: [ANSWER_EXAMPLE],
      latency_ms: 0.9,
    },
  },
};

const callOf = (c: Context<AppEnv>) => ({
  requestId: c.get('requestIdGiven') ? c.get('requestId') : null,
  startedAt: c.get('startedAt'),
});

type Explaining = Pick<Serving, 'explain'>;

async function answerOne(
  c: Context<AppEnv>,
  answers: PredictionAnswers,
  body: PredictBody,
  { explain, top }: z.output<typeof explainQuery>,
  serving: Explaining,
): Promise<Response> {
  const { requestId, json } = await answers.one(callOf(c), body);
  c.set('requestId', requestId);
  const whole = explain === 'true' ? await withExplanation(serving, json, body.request.features, top) : json;
  return answer(c, 200, whole, 'application/json');
}

async function answerMany(
  c: Context<AppEnv>,
  answers: PredictionAnswers,
  body: PredictBatchBody,
  { charge }: Protection,
): Promise<Response> {
  await chargeFurtherRows(c, charge, body.rows.length);
  const { json } = await answers.many({ ...callOf(c), requestId: c.get('requestId') }, body);
  return answer(c, 200, json, 'application/json');
}

/**
 * `POST /predict`, `POST /models/{model}/predict`, `POST /predict/batch`. On a port `hot-path` answers them before the
 * router is asked; these are the same, for the documentation and for whatever the hot path leaves.
 */
export function predictionOperations(
  deps: PredictionDeps & {
    readonly serving: Explaining;
    readonly metrics: Pick<Metrics, 'explained'>;
    readonly protection: Protection;
  },
): readonly Operation[] {
  const predictions = createPredictionAnswers(deps);
  const common = { method: 'post', tag: 'Predictions', permission: 'predict', refusals: ['notFound'] } as const;
  const explaining = timeExplanations(deps.serving, deps.metrics);
  const guarded = { predicts: true, charged: true } as const;
  const answers = { 200: { description: 'The prediction', schema: predictionSchema, example: ANSWER_EXAMPLE } };
  return [
    defineOperation({
      ...common,
      ...guarded,
      id: 'predict',
      path: '/predict',
      summary: 'Predict one row',
      description: PREDICT_DESCRIPTION,
      body: {
        schema: predictSchema,
        description: 'One row; `model` may be left out while one model is served',
        example: { model: 'churn', ...FEATURES_EXAMPLE },
        limitBytes: PREDICT_LIMIT_BYTES,
        parse: (value) => parsePredictBody(value, false),
      },
      answers,
      query: explainQuery,
      handle: ({ c, body, query }) => answerOne(c, predictions, body, query, explaining),
    }),
    defineOperation({
      ...common,
      ...guarded,
      id: 'predictWithModel',
      path: '/models/{model}/predict',
      summary: 'Predict one row with a model',
      description: 'As `POST /predict`, with the model in the path.',
      params: modelParams,
      body: {
        schema: instanceSchema,
        description: 'One row',
        example: FEATURES_EXAMPLE,
        limitBytes: PREDICT_LIMIT_BYTES,
        parse: (value) => parsePredictBody(value, true),
      },
      answers,
      query: explainQuery,
      handle: ({ c, params, body, query }) =>
        answerOne(c, predictions, { ...body, model: params.model }, query, explaining),
    }),
    defineOperation({
      ...common,
      ...guarded,
      id: 'predictBatch',
      path: '/predict/batch',
      summary: 'Predict many rows',
      description: `At most ${BATCH_ROWS_MAX} rows. Each row is answered or refused on its own, in the order sent.`,
      body: {
        schema: predictBatchSchema,
        description: 'The rows',
        example: { model: 'churn', instances: [FEATURES_EXAMPLE] },
        limitBytes: BATCH_LIMIT_BYTES,
        parse: parsePredictBatchBody,
      },
      answers: BATCH_ANSWERS,
      handle: ({ c, body }) => answerMany(c, predictions, body, deps.protection),
    }),
  ];
}
