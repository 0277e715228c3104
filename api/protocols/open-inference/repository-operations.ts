/** The repository extension. What is loaded follows from the routing alone, so nothing is loaded or dropped by hand. */
import { z } from '@hono/zod-openapi';
import { DomainError } from '../../../domain/errors.ts';
import { answerJson } from '../../answers.ts';
import { defineOperation } from '../../operation.ts';
import type { Operation, OperationInput } from '../../operation.ts';
import { optional } from '../../schemas/optional.ts';
import type { Serving } from '../../serving/contract.ts';
import { isObject, parseClientObject } from '../client-json.ts';
import type { Fields } from '../client-json.ts';
import { plainErrorForm } from '../plain-error.ts';
import { readContent } from '../request-content.ts';
import { resolveTarget } from '../target.ts';
import { modelParams, repositoryIndexSchema } from './schemas.ts';

/** These bodies hold a few flags. */
const COMMAND_LIMIT_BYTES = 16 * 1024;

const common = { method: 'post', tag: 'Open Inference Protocol', errorForm: plainErrorForm } as const;
const indexBodySchema = z.object({ ready: optional(z.boolean()) });
const commandBodySchema = z.object({ parameters: optional(z.record(z.string(), z.unknown())) });
const commandBody = {
  optional: true,
  description: 'Usually an empty object; an empty body stands for it',
  content: { 'application/json': { schema: commandBodySchema, example: {} } },
};

type Input = OperationInput<z.output<typeof modelParams>, Record<string, never>, unknown>;

async function readCommand(c: Input['c']): Promise<Fields> {
  const bytes = await readContent(c, COMMAND_LIMIT_BYTES);
  return bytes.byteLength === 0 ? {} : parseClientObject(bytes);
}

const wrongType = (field: string, message: string): DomainError =>
  new DomainError('invalidInput', 'The body cannot be used as it is', [{ field, message }]);

/** @throws DomainError `invalidInput` when they are no object */
async function readParameters(c: Input['c']): Promise<{ readonly parameters: Fields }> {
  const { parameters = {} } = await readCommand(c);
  if (isObject(parameters)) return { parameters };
  throw wrongType('parameters', 'expected an object');
}

/** `POST /v2/repository/index`, `.../models/{model}/load`, `.../models/{model}/unload`. */
export function repositoryOperations(deps: {
  readonly serving: Pick<Serving, 'predict' | 'served'>;
}): readonly Operation[] {
  return [index(deps), load(deps), unload(deps)];
}

function index({ serving }: { readonly serving: Pick<Serving, 'served'> }): Operation {
  return defineOperation({
    ...common,
    id: 'repositoryIndex',
    path: '/v2/repository/index',
    permission: 'predict',
    summary: 'List what is loaded',
    description: 'Every version that the routing names and that is loaded, so each of them is ready.',
    rawBody: {
      optional: true,
      description: '`ready` asks for ready versions alone, which all of them are',
      content: { 'application/json': { schema: indexBodySchema, example: { ready: true } } },
    },
    answers: {
      200: {
        description: 'The versions',
        schema: repositoryIndexSchema,
        example: [{ name: 'churn', version: '2', state: 'READY', reason: '' }],
      },
    },
    handle: async ({ c }) => {
      const { ready } = await readCommand(c);
      if (ready !== undefined && typeof ready !== 'boolean') throw wrongType('ready', 'expected true or false');
      const entries = serving
        .served()
        .flatMap(({ model, routes }) =>
          routes.map((r) => ({ name: model, version: String(r.version), state: 'READY', reason: '' })),
        );
      return answerJson(c, 200, entries);
    },
  });
}

function load({ serving }: { readonly serving: Pick<Serving, 'predict' | 'served'> }): Operation {
  return defineOperation({
    ...common,
    id: 'repositoryLoad',
    path: '/v2/repository/models/{model}/load',
    permission: 'admin',
    inAnyRegion: true,
    refusals: ['notFound', 'unavailable', 'refused'],
    summary: 'See that a model is loaded',
    description:
      'What the routing names is loaded on its own, so there is nothing left to do for a served model: 200. 503 while it ' +
      'is being loaded, 404 when no rollout has brought it here. A configuration or files in the request are refused: ' +
      'versions come from training or import, and into service by a rollout.',
    params: modelParams,
    rawBody: commandBody,
    answers: { 200: { description: 'It is loaded', schema: z.strictObject({}) } },
    handle: async ({ c, params }) => {
      const { parameters } = await readParameters(c);
      if (Object.keys(parameters).length > 0) {
        throw new DomainError('refused', 'A model is not configured from here: register a version and roll it out');
      }
      await resolveTarget(serving, params.model);
      return answerJson(c, 200, {});
    },
  });
}

function unload({ serving }: { readonly serving: Pick<Serving, 'predict' | 'served'> }): Operation {
  return defineOperation({
    ...common,
    id: 'repositoryUnload',
    path: '/v2/repository/models/{model}/unload',
    permission: 'admin',
    inAnyRegion: true,
    refusals: ['notFound', 'unavailable', 'refused'],
    summary: 'Refuse to unload a model',
    description:
      'Always refused for a served model, with 409: a version leaves memory when a rollout or a rollback takes it out of ' +
      'the routing, and never under the feet of its callers.',
    params: modelParams,
    rawBody: commandBody,
    answers: {},
    handle: async ({ c, params }) => {
      await readParameters(c);
      await resolveTarget(serving, params.model);
      throw new DomainError('refused', `${params.model} is in service: roll another version out to take this one away`);
    },
  });
}
