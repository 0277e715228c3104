/** MLflow's scoring server, which is also the pair of routes that SageMaker asks of a container. */
import { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { DomainError } from '../../../domain/errors.ts';
import { answer, answerJson } from '../../answers.ts';
import type { AppEnv } from '../../app-env.ts';
import { defineOperation } from '../../operation.ts';
import type { Operation } from '../../operation.ts';
import { JSON_TYPE } from '../../request-body.ts';
import { optional } from '../../schemas/optional.ts';
import { modelNameSchema } from '../../schemas/parameters.ts';
import type { PredictRequest, Serving } from '../../serving/contract.ts';
import type { AnswerRows } from '../answer-rows.ts';
import { parseClientObject } from '../client-json.ts';
import { predictionRecord, predictionRecordSchema } from '../prediction-record.ts';
import { createProblemList } from '../problem-list.ts';
import type { ProblemList } from '../problem-list.ts';
import { isReady } from '../readiness.ts';
import type { ReadinessDeps } from '../readiness.ts';
import { readContent } from '../request-content.ts';
import { resolveTarget } from '../target.ts';
import type { Target } from '../target.ts';
import { readScoringCsv } from './scoring-csv.ts';
import { scoringErrorForm } from './scoring-error.ts';
import { readScoringJson } from './scoring-json.ts';

export interface ScoringDeps extends ReadinessDeps {
  readonly serving: Pick<Serving, 'predict' | 'served' | 'status'>;
  readonly answerRows: AnswerRows;
  /** Of the platform. */
  readonly version: string;
}

const common = { tag: 'MLflow and SageMaker', errorForm: scoringErrorForm } as const;
const rows = z.array(z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]));
const scoringSchema = z
  .strictObject({
    dataframe_split: optional(
      z.object({ columns: optional(z.array(z.string())), data: z.array(z.array(z.unknown())) }),
    ),
    dataframe_records: optional(rows),
    instances: optional(rows),
    inputs: optional(z.union([z.record(z.string(), z.array(z.unknown())), rows])),
    params: optional(z.record(z.string(), z.unknown())).openapi({ description: 'Ignored: a model has none' }),
  })
  .openapi('ScoringRequest', {
    description: 'Exactly one of the first four',
    oneOf: ['dataframe_split', 'dataframe_records', 'instances', 'inputs'].map((name) => ({ required: [name] })),
  });
/** Any text may be one: what its cells say is a matter of the model. */
const csvSchema = z.unknown();
const CSV_TYPE = /^text\/csv\s*(?:;|$)/i;
const HEADER_PARAMETER = /;\s*header\s*=\s*"?(present|absent)"?/i;

const cellName = (row: number, column: string | null): string =>
  column === null ? `row ${row}` : `row ${row}, ${column}`;

/** `GET /ping`, `GET /version`, `POST /invocations`. */
export function scoringOperations(deps: ScoringDeps): readonly Operation[] {
  return [pingOperation(deps), versionOperation(deps), invocationsOperation(deps)];
}

function pingOperation(deps: ScoringDeps): Operation {
  const body = { schema: z.string(), contentType: 'text/plain' };
  return defineOperation({
    ...common,
    id: 'ping',
    method: 'get',
    path: '/ping',
    permission: null,
    summary: 'Can the models answer?',
    description: 'As `/ready`: 200 when every routed version is loaded and proven, 503 before. An empty line as body.',
    answers: { 200: { ...body, description: 'Ready' }, 503: { ...body, description: 'Not now' } },
    handle: ({ c }) => answer(c, isReady(deps) ? 200 : 503, '\n', 'text/plain'),
  });
}

function versionOperation(deps: ScoringDeps): Operation {
  return defineOperation({
    ...common,
    id: 'scoringVersion',
    method: 'get',
    path: '/version',
    permission: null,
    summary: 'The version of the platform',
    description: 'As text. It is not a version of MLflow, which is not involved.',
    answers: { 200: { description: 'The version', schema: z.string(), contentType: 'text/plain', example: '1.0.0' } },
    handle: ({ c }) => answer(c, 200, deps.version, 'text/plain'),
  });
}

function invocationsOperation(deps: ScoringDeps): Operation {
  return defineOperation({
    ...common,
    id: 'invocations',
    method: 'post',
    path: '/invocations',
    predicts: true,
    permission: 'predict',
    refusals: ['notFound', 'unavailable', 'rateLimited'],
    summary: 'Predict a table',
    description:
      'A data frame, instances, inputs or CSV. The model is named by the header `X-Model` or the query `model`, which may ' +
      'be missing while one model is served. A column `entity_id` names the entity. CSV cells are read by the type of ' +
      'their feature; blank is missing; without a header line the columns are in the order of the features. Rows are ' +
      'answered all or none: a wrong one is named with its column. `X-Amzn-SageMaker-*` headers are tolerated.',
    query: z.object({ model: optional(modelNameSchema) }),
    rawBody: {
      description: 'The table',
      content: {
        'application/json': {
          schema: scoringSchema,
          example: { dataframe_split: { columns: ['tenure', 'contract'], data: [[12, 'monthly']] } },
        },
        'text/csv': { schema: csvSchema, example: 'tenure,contract\n12,monthly\n' },
      },
    },
    answers: {
      200: {
        description: 'One prediction per row, in order',
        schema: z.strictObject({ predictions: z.array(predictionRecordSchema) }).openapi('ScoringAnswer'),
      },
    },
    handle: ({ c, query }) => invoke(c, deps, query.model),
  });
}

async function invoke(c: Context<AppEnv>, deps: ScoringDeps, queried: string | undefined): Promise<Response> {
  await deps.answerRows.begin(c);
  const readRows = readerFor(c.req.header('content-type') ?? '');
  const target = await resolveTarget(deps.serving, modelNamed(c.req.header('x-model'), queried));
  const problems = createProblemList(cellName);
  const requests = readRows(await readContent(c), target, problems);
  const answered = await deps.answerRows.answer(c, target, requests, problems);
  return answerJson(c, 200, { predictions: answered.map(predictionRecord) });
}

function modelNamed(header: string | undefined, query: string | undefined): string | null {
  if (header === undefined || header === '') return query ?? null;
  if (query === undefined || query === header) return header;
  throw new DomainError('malformedRequest', 'The header X-Model and the query name different models');
}

function readerFor(type: string): (bytes: Buffer, target: Target, problems: ProblemList) => readonly PredictRequest[] {
  if (JSON_TYPE.test(type)) {
    return (bytes, { signature }, problems) => readScoringJson(parseClientObject(bytes), signature, problems);
  }
  if (CSV_TYPE.test(type)) {
    const header = (HEADER_PARAMETER.exec(type)?.[1]?.toLowerCase() ?? null) as 'present' | 'absent' | null;
    return (bytes, { signature }, problems) => readScoringCsv(bytes, header, signature, problems);
  }
  throw new DomainError('unsupportedMediaType', 'A table comes as JSON or CSV', [
    { field: 'Content-Type', message: 'another type was sent, or none', allowed: ['application/json', 'text/csv'] },
  ]);
}
