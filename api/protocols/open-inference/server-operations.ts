import { answerJson } from '../../answers.ts';
import { defineOperation } from '../../operation.ts';
import type { Operation } from '../../operation.ts';
import { plainErrorForm } from '../plain-error.ts';
import { isReady } from '../readiness.ts';
import type { ReadinessDeps } from '../readiness.ts';
import { describeServer } from './metadata.ts';
import { serverHealthSchema, serverMetadataSchema } from './schemas.ts';

const common = { method: 'get', tag: 'Open Inference Protocol', permission: null, errorForm: plainErrorForm } as const;

/** `GET /v2`, `/v2/health/live`, `/v2/health/ready`: open, for probes and for clients that ask before they have a key. */
export function serverOperations(deps: ReadinessDeps & { readonly version: string }): readonly Operation[] {
  const ready = { description: 'Ready', schema: serverHealthSchema, example: { live: true, ready: true } };
  return [
    defineOperation({
      ...common,
      id: 'inferenceServer',
      path: '/v2',
      summary: 'What this server is',
      description: 'Name, version of the platform, and the extensions of the protocol that are spoken here.',
      answers: { 200: { description: 'The server', schema: serverMetadataSchema } },
      handle: ({ c }) => answerJson(c, 200, describeServer(deps.version)),
    }),
    defineOperation({
      ...common,
      id: 'inferenceServerLive',
      path: '/v2/health/live',
      summary: 'Does the server answer?',
      description: 'Always 200, as `/alive`. The body says also whether it is ready.',
      answers: { 200: { ...ready, description: 'It does' } },
      handle: ({ c }) => answerJson(c, 200, { live: true, ready: isReady(deps) }),
    }),
    defineOperation({
      ...common,
      id: 'inferenceServerReady',
      path: '/v2/health/ready',
      summary: 'Are all models ready?',
      description: 'As `/ready`: 200 when every routed version is loaded and proven, 503 before.',
      answers: {
        200: ready,
        503: { description: 'Not now', schema: serverHealthSchema, example: { live: true, ready: false } },
      },
      handle: ({ c }) =>
        isReady(deps)
          ? answerJson(c, 200, { live: true, ready: true })
          : answerJson(c, 503, { live: true, ready: false }, { 'retry-after': '1' }),
    }),
  ];
}
