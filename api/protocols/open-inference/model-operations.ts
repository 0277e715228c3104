import { answerJson } from '../../answers.ts';
import { defineOperation } from '../../operation.ts';
import type { Operation } from '../../operation.ts';
import type { Serving } from '../../serving/contract.ts';
import type { AnswerRows } from '../answer-rows.ts';
import { plainErrorForm } from '../plain-error.ts';
import { requireRoute, resolveTarget } from '../target.ts';
import { answerInfer } from './infer.ts';
import { describeModel } from './metadata.ts';
import {
  bytesSchema,
  inferAnswerSchema,
  inferRequestSchema,
  modelMetadataSchema,
  modelParams,
  modelReadySchema,
  versionParams,
} from './schemas.ts';

export interface ModelOperationDeps {
  readonly serving: Pick<Serving, 'predict' | 'served'>;
  readonly answerRows: AnswerRows;
}

const common = {
  tag: 'Open Inference Protocol',
  permission: 'predict',
  errorForm: plainErrorForm,
  refusals: ['notFound', 'unavailable'],
} as const;

const METADATA = {
  method: 'get',
  description: 'One input tensor per raw feature, the features of the version that answers most.',
  answers: { 200: { description: 'Inputs, outputs and the versions that answer', schema: modelMetadataSchema } },
} as const;

const READY = {
  method: 'get',
  description: '200 when it is loaded and proven on its golden rows, 503 before, 404 when nothing routes to it.',
  answers: { 200: { description: 'Ready', schema: modelReadySchema, example: { name: 'churn', ready: true } } },
} as const;

const INFER = {
  predicts: true,
  method: 'post',
  refusals: ['notFound', 'unavailable', 'rateLimited'],
  description:
    'One tensor `[rows, 1]` per raw feature, as JSON or in the binary tensor extension; NaN and null are missing values. ' +
    'A model of numbers alone also takes one tensor `[rows, features]`. A column `entity_id` names the entity of each ' +
    'row. Rows are answered all or none: a wrong one is named with its input. Outputs besides `probability` and `label`, ' +
    'when asked for: `risk`, `model_version`, `request_id`. gzip and deflate bodies are taken.',
  rawBody: {
    description: 'The input tensors',
    content: {
      'application/json': {
        schema: inferRequestSchema,
        example: {
          id: 'call-1',
          inputs: [
            { name: 'tenure', shape: [1, 1], datatype: 'INT64', data: [12] },
            { name: 'contract', shape: [1, 1], datatype: 'BYTES', data: ['monthly'] },
          ],
        },
      },
      'application/octet-stream': { schema: bytesSchema },
    },
  },
  answers: {
    200: {
      description: 'The output tensors; as `application/octet-stream` where binary data was asked for',
      schema: inferAnswerSchema,
      otherTypes: { 'application/octet-stream': bytesSchema },
      example: {
        model_name: 'churn',
        model_version: '2',
        id: 'call-1',
        outputs: [
          { name: 'probability', datatype: 'FP64', shape: [1, 1], data: [0.71] },
          { name: 'label', datatype: 'BYTES', shape: [1, 1], data: ['Yes'] },
        ],
      },
    },
  },
} as const;

/** Metadata, readiness and inference of a model, each with and without a version in the path. */
export function modelOperations(deps: ModelOperationDeps): readonly Operation[] {
  return [...metadataOperations(deps), ...readyOperations(deps), ...inferOperations(deps)];
}

function metadataOperations({ serving }: ModelOperationDeps): readonly Operation[] {
  return [
    defineOperation({
      ...common,
      ...METADATA,
      id: 'inferenceModel',
      path: '/v2/models/{model}',
      summary: 'What a model takes and gives',
      params: modelParams,
      handle: async ({ c, params }) => {
        const { served, signature } = await resolveTarget(serving, params.model);
        return answerJson(c, 200, describeModel(served, signature));
      },
    }),
    defineOperation({
      ...common,
      ...METADATA,
      id: 'inferenceModelVersion',
      path: '/v2/models/{model}/versions/{version}',
      summary: 'What a version takes and gives',
      params: versionParams,
      handle: async ({ c, params }) => {
        const { served } = await resolveTarget(serving, params.model);
        const { signature } = requireRoute(served, params.version);
        return answerJson(c, 200, describeModel(served, signature));
      },
    }),
  ];
}

function readyOperations({ serving }: ModelOperationDeps): readonly Operation[] {
  return [
    defineOperation({
      ...common,
      ...READY,
      id: 'inferenceModelReady',
      path: '/v2/models/{model}/ready',
      summary: 'Can a model answer?',
      params: modelParams,
      handle: async ({ c, params }) => {
        await resolveTarget(serving, params.model);
        return answerJson(c, 200, { name: params.model, ready: true });
      },
    }),
    defineOperation({
      ...common,
      ...READY,
      id: 'inferenceVersionReady',
      path: '/v2/models/{model}/versions/{version}/ready',
      summary: 'Can a version answer?',
      params: versionParams,
      handle: async ({ c, params }) => {
        requireRoute((await resolveTarget(serving, params.model)).served, params.version);
        return answerJson(c, 200, { name: params.model, ready: true });
      },
    }),
  ];
}

function inferOperations(deps: ModelOperationDeps): readonly Operation[] {
  return [
    defineOperation({
      ...common,
      ...INFER,
      id: 'infer',
      path: '/v2/models/{model}/infer',
      summary: 'Predict rows',
      params: modelParams,
      handle: ({ c, params }) => answerInfer(c, deps, { model: params.model, version: null }),
    }),
    defineOperation({
      ...common,
      ...INFER,
      id: 'inferVersion',
      path: '/v2/models/{model}/versions/{version}/infer',
      summary: 'Predict rows with a version',
      description:
        `${INFER.description}\n\nThe version must be the one that answers everything: while versions share the ` +
        'requests, the routing decides.',
      params: versionParams,
      handle: ({ c, params }) => answerInfer(c, deps, params),
    }),
  ];
}
