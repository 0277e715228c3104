import type { Context } from 'hono';
import type { Metrics } from '../../adapters/metrics.ts';
import { DomainError } from '../../domain/errors.ts';
import { answerJson } from '../answers.ts';
import type { AppEnv } from '../app-env.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { parsePredictBatchBody, parsePredictBody } from '../predict-body.ts';
import type { BatchRow, PredictBatchBody, PredictBody } from '../predict-body.ts';
import { modelParams } from '../schemas/parameters.ts';
import {
  BATCH_ROWS_MAX,
  batchAnswerSchema,
  instanceSchema,
  predictBatchSchema,
  predictSchema,
  predictionSchema,
} from '../schemas/predictions.ts';
import type { PredictOutcome, PredictRequest, Serving } from '../serving/contract.ts';

/** A row of 2,000 features of 100 characters each fits. */
export const PREDICT_LIMIT_BYTES = 256 * 1024;
/** 1,000 rows of 4 KiB. */
export const BATCH_LIMIT_BYTES = 4 * 1024 * 1024;

export interface PredictionDeps {
  readonly serving: Pick<Serving, 'predict' | 'served'>;
  readonly metrics: Pick<Metrics, 'answered'>;
}

type Answered = Extract<PredictOutcome, { ok: true }>;

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

/** Microseconds are the finest that means something. */
const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

function describeAnswer(o: Answered) {
  return {
    request_id: o.requestId,
    model: o.model,
    model_version: o.version,
    variant: o.variant,
    probability: o.probability,
    label: o.label,
    risk: o.risk,
    threshold: o.threshold,
    latency_ms: rounded(o.latencyMs),
    warnings: o.warnings,
  };
}

async function predict(
  { serving, metrics }: PredictionDeps,
  model: string | null,
  requests: readonly PredictRequest[],
): Promise<readonly PredictOutcome[]> {
  const outcomes = await serving.predict(model, requests);
  for (const outcome of outcomes) if (outcome.ok) metrics.answered(outcome.model, outcome.risk);
  return outcomes;
}

async function answerOne(c: Context<AppEnv>, deps: PredictionDeps, body: PredictBody): Promise<Response> {
  const [outcome] = await predict(deps, body.model, [body.request]);
  if (outcome === undefined) throw new DomainError('internal', 'The serving path gave no outcome');
  if (!outcome.ok) throw new DomainError('invalidInput', 'The features cannot be used as they are', outcome.problems);
  // One id for the request and its prediction, where the caller did not bring one.
  if (!c.get('requestIdGiven')) c.set('requestId', outcome.requestId);
  return answerJson(c, 200, describeAnswer(outcome));
}

const isRequest = (row: BatchRow): row is PredictRequest => 'features' in row;

async function answerBatch(c: Context<AppEnv>, deps: PredictionDeps, body: PredictBatchBody): Promise<Response> {
  const requests = body.rows.filter(isRequest);
  // The serving path is asked even when no row is usable: it knows whether the model exists.
  const outcomes = await predict(deps, body.model, requests);
  let next = 0;
  const predictions = body.rows.map((row) => {
    if (!isRequest(row)) return { error: 'invalidInput', problems: row.problems };
    const outcome = outcomes[next++];
    if (outcome === undefined) throw new DomainError('internal', 'The serving path gave too few outcomes');
    return outcome.ok ? describeAnswer(outcome) : { error: 'invalidInput', problems: outcome.problems };
  });
  const answered = outcomes.find((o) => o.ok);
  return answerJson(c, 200, {
    request_id: c.get('requestId'),
    model: answered?.model ?? body.model ?? deps.serving.served()[0]?.model ?? '',
    predictions,
    latency_ms: rounded(performance.now() - c.get('startedAt')),
  });
}

/** `POST /predict`, `POST /models/{model}/predict`, `POST /predict/batch`. */
export function predictionOperations(deps: PredictionDeps): readonly Operation[] {
  const common = { method: 'post', tag: 'Predictions', permission: 'predict', refusals: ['notFound'] } as const;
  const answers = { 200: { description: 'The prediction', schema: predictionSchema, example: ANSWER_EXAMPLE } };
  return [
    defineOperation({
      ...common,
      id: 'predict',
      path: '/predict',
      summary: 'Predict one row',
      description:
        'Takes one row as the data has it. What the model cannot take is refused field by field with status 422, or ' +
        'answered with a warning, as the model definition says; nothing is replaced silently.',
      body: {
        schema: predictSchema,
        description: 'One row; `model` may be left out while one model is served',
        example: { model: 'churn', ...FEATURES_EXAMPLE },
        limitBytes: PREDICT_LIMIT_BYTES,
        parse: (value) => parsePredictBody(value, false),
      },
      answers,
      handle: ({ c, body }) => answerOne(c, deps, body),
    }),
    defineOperation({
      ...common,
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
      handle: ({ c, params, body }) => answerOne(c, deps, { ...body, model: params.model }),
    }),
    defineOperation({
      ...common,
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
      answers: {
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
      },
      handle: ({ c, body }) => answerBatch(c, deps, body),
    }),
  ];
}
