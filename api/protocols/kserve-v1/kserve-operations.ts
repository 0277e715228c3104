import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { Metrics } from '../../../adapters/metrics.ts';
import { DomainError } from '../../../domain/errors.ts';
import { answerJson } from '../../answers.ts';
import type { AppEnv } from '../../app-env.ts';
import { timeExplanations } from '../../explanations/time-explanations.ts';
import { defineOperation } from '../../operation.ts';
import type { Operation } from '../../operation.ts';
import { JSON_TYPE } from '../../request-body.ts';
import { explanationSchema, topQuery } from '../../schemas/explanations.ts';
import { modelNameSchema } from '../../schemas/parameters.ts';
import { optional } from '../../schemas/optional.ts';
import type { Serving } from '../../serving/contract.ts';
import type { AnswerRows } from '../answer-rows.ts';
import { parseClientObject } from '../client-json.ts';
import { plainErrorForm } from '../plain-error.ts';
import { predictionRecord, predictionRecordSchema } from '../prediction-record.ts';
import { createProblemList } from '../problem-list.ts';
import { readContent } from '../request-content.ts';
import { resolveTarget } from '../target.ts';
import { checkExplainedRows, EXPLAINED_ROWS_MAX, explainRows, explanationRefusal } from './explain-rows.ts';
import { cellName, readInstances } from './instances.ts';

export interface KserveDeps {
  readonly serving: Pick<Serving, 'predict' | 'served' | 'explain' | 'explanationRefusal'>;
  readonly answerRows: AnswerRows;
  readonly metrics: Pick<Metrics, 'explained'>;
}

const common = { tag: 'KServe v1', permission: 'predict', errorForm: plainErrorForm } as const;
const modelParams = z.strictObject({ model: modelNameSchema });
const verbParams = z.strictObject({ model: modelNameSchema, verb: z.enum(['predict', 'explain']) });
const instancesSchema = z
  .object({
    instances: z.array(z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())])),
    signature_name: optional(z.unknown()).openapi({ description: 'Ignored: a model has one signature' }),
  })
  .openapi('KserveInstances');
/** The last segment of the path, `churn:predict`; the router knows no parameter that ends before its segment does. */
const TARGET = /^(.+)(?::|%3[Aa])([^:]*)$/;

/** `GET /v1/models`, `GET /v1/models/{model}`, `POST /v1/models/{model}:predict` and `:explain`. */
export function kserveOperations(deps: KserveDeps): readonly Operation[] {
  return [listOperation(deps), readyOperation(deps), verbOperation(deps)];
}

function listOperation({ serving }: KserveDeps): Operation {
  return defineOperation({
    ...common,
    id: 'kserveModels',
    method: 'get',
    path: '/v1/models',
    summary: 'List what is served',
    description: 'The names of the models that answer.',
    answers: {
      200: {
        description: 'The models',
        schema: z.strictObject({ models: z.array(z.string()) }),
        example: { models: ['churn'] },
      },
    },
    handle: ({ c }) => answerJson(c, 200, { models: serving.served().map((m) => m.model) }),
  });
}

function readyOperation({ serving }: KserveDeps): Operation {
  return defineOperation({
    ...common,
    id: 'kserveModel',
    method: 'get',
    path: '/v1/models/{model}',
    refusals: ['notFound', 'unavailable'],
    summary: 'Can a model answer?',
    description: '200 when it is loaded and proven, 503 before, 404 when nothing routes to it.',
    params: modelParams,
    answers: {
      200: {
        description: 'Ready',
        schema: z.strictObject({ name: z.string(), ready: z.boolean() }),
        example: { name: 'churn', ready: true },
      },
    },
    handle: async ({ c, params }) => {
      await resolveTarget(serving, params.model);
      return answerJson(c, 200, { name: params.model, ready: true });
    },
  });
}

function verbOperation(deps: KserveDeps): Operation {
  return defineOperation({
    ...common,
    id: 'kservePredict',
    method: 'post',
    path: '/v1/models/{model}:{verb}',
    predicts: true,
    routePath: '/v1/models/:target',
    readParams: (c) => {
      const [, model = '', verb = ''] = TARGET.exec(c.req.param('target') ?? '') ?? [];
      if (model !== '') return { model, verb };
      throw new DomainError('notFound', 'The path ends with the model and what to do: /v1/models/{model}:predict');
    },
    refusals: ['notFound', 'unavailable', 'rateLimited'],
    summary: 'Predict rows',
    description:
      'Each instance is an object of values by feature name, or an array in the order of the features (as ' +
      '`GET /v2/models/{model}` lists them). A key `entity_id` names the entity. Rows are answered all or none: a wrong ' +
      'one is named with its field. `:explain` adds exact SHAP values to the predictions of at most ' +
      `${EXPLAINED_ROWS_MAX} rows; where a version has none, it answers 501 and predicts nothing.`,
    params: verbParams,
    query: topQuery,
    rawBody: {
      description: 'The rows',
      content: {
        'application/json': {
          schema: instancesSchema,
          example: { instances: [{ entity_id: 'customer-4711', tenure: 12, contract: 'monthly' }] },
        },
      },
    },
    answers: {
      200: {
        description: 'One prediction per instance, in order',
        schema: z
          .strictObject({
            predictions: z.array(predictionRecordSchema),
            explanations: optional(z.array(explanationSchema)).openapi({ description: 'Of `:explain` alone' }),
          })
          .openapi('KservePredictions'),
      },
      501: { description: 'The version that answers cannot be explained', schema: plainErrorForm.schema },
    },
    handle: ({ c, params, query }) => answerRequest(c, deps, params, query.top),
  });
}

async function answerRequest(
  c: Context<AppEnv>,
  { serving, answerRows, metrics }: KserveDeps,
  { model, verb }: z.output<typeof verbParams>,
  top: number,
): Promise<Response> {
  await answerRows.begin(c);
  const type = c.req.header('content-type');
  if (type !== undefined && !JSON_TYPE.test(type)) {
    throw new DomainError('unsupportedMediaType', 'Instances come as JSON', [
      { field: 'Content-Type', message: 'another type was sent', allowed: ['application/json'] },
    ]);
  }
  const target = await resolveTarget(serving, model);
  const explains = verb === 'explain';
  const refusal = explains ? await explanationRefusal(serving, target) : null;
  if (refusal !== null) return answerJson(c, 501, { error: refusal });
  const problems = createProblemList(cellName);
  const rows = readInstances(parseClientObject(await readContent(c)), target.signature, problems);
  if (explains) checkExplainedRows(rows.length, problems);
  const answered = await answerRows.answer(c, target, rows, problems);
  const predictions = answered.map(predictionRecord);
  if (!explains) return answerJson(c, 200, { predictions });
  return answerJson(c, 200, {
    predictions,
    explanations: await explainRows(timeExplanations(serving, metrics), answered, rows, top),
  });
}
