import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Metrics } from '../../adapters/metrics.ts';
import type { DomainError } from '../../domain/errors.ts';
import { SECURITY_HEADERS } from '../answers.ts';
import { describeProblem, PROBLEM_TYPE, tellable } from '../error-handler.ts';
import type { Log } from '../log.ts';
import { usableRequestId } from '../middleware/request-context.ts';
import { authorise } from '../middleware/require-permission.ts';
import { parsePredictBatchBody, parsePredictBody } from '../predict-body.ts';
import { checkDeclaredLength, checkJsonType, collectBody, jsonOf } from '../request-body.ts';
import type { KeyDirectory } from '../security/key-directory.ts';
import { discardBody } from './discard-body.ts';
import { createEndpointFinder } from './find-endpoint.ts';
import type { Endpoint } from './find-endpoint.ts';
import { createPredictionAnswers } from './prediction-answers.ts';
import type { PredictionAnswer, PredictionDeps } from './prediction-answers.ts';

export interface HotPathDeps extends PredictionDeps {
  readonly keys: Pick<KeyDirectory, 'check'>;
  readonly metrics: Pick<Metrics, 'answered' | 'request'>;
  readonly log: Log;
}

/** Answers the request if it is a prediction. False: it is not, and nothing of it was touched. */
export type HotPath = (incoming: IncomingMessage, outgoing: ServerResponse) => boolean;

/** One request on its way. */
interface Exchange {
  readonly endpoint: Endpoint;
  readonly incoming: IncomingMessage;
  readonly outgoing: ServerResponse;
  readonly startedAt: number;
  /** The caller's own. */
  readonly requestId: string | null;
}

/** The same on every answer, as Node takes them fastest: names and values in turn. */
const COMMON_HEADERS: readonly string[] = Object.entries(SECURITY_HEADERS).flat();
const JSON_HEADERS: readonly string[] = [...COMMON_HEADERS, 'content-type', 'application/json'];
const PROBLEM_HEADERS: readonly string[] = [...COMMON_HEADERS, 'content-type', PROBLEM_TYPE];

/**
 * Predictions straight on Node's messages: the same checks, core and answers as the routes of the framework, without
 * its objects per request. Everything else is left to the router.
 */
export function createHotPath(deps: HotPathDeps): HotPath {
  const answers = createPredictionAnswers(deps);
  const endpointOf = createEndpointFinder();

  function begin(x: Exchange): void {
    const { incoming, endpoint } = x;
    const { headers } = incoming;
    try {
      authorise(deps.keys, 'predict', (name) => headerOf(headers, name));
      checkJsonType(headers['content-type']);
      checkDeclaredLength(headers['content-length'], endpoint.limitBytes);
    } catch (error) {
      refuse(x, error);
      return;
    }
    collectBody(
      incoming,
      endpoint.limitBytes,
      (bytes) => void answer(x, bytes),
      (error) => refuse(x, error),
    );
  }

  async function answer(x: Exchange, bytes: Buffer): Promise<void> {
    try {
      const answered = await predict(x, jsonOf(bytes, x.incoming.headers['content-type']));
      send(x.outgoing, 200, JSON_HEADERS, answered.requestId, answered.json);
      note(x, 200, null);
    } catch (error) {
      refuse(x, error);
    }
  }

  function predict(x: Exchange, body: unknown): Promise<PredictionAnswer> {
    const { model, kind } = x.endpoint;
    if (kind === 'many') {
      const call = { requestId: x.requestId ?? randomUUID(), startedAt: x.startedAt };
      return answers.many(call, parsePredictBatchBody(body));
    }
    const parsed = parsePredictBody(body, model !== null);
    return answers.one(x, model === null ? parsed : { ...parsed, model });
  }

  function refuse(x: Exchange, error: unknown): void {
    const { incoming, outgoing } = x;
    const path = incoming.url ?? '';
    const requestId = x.requestId ?? randomUUID();
    const told: DomainError = tellable(error, path, requestId, deps.log);
    const { status, headers, json, code } = describeProblem(told, path, requestId);
    discardBody(incoming);
    send(outgoing, status, [...PROBLEM_HEADERS, ...Object.entries(headers).flat()], requestId, json);
    note(x, status, code);
  }

  function note({ endpoint, startedAt }: Exchange, status: number, error: string | null): void {
    const durationMs = performance.now() - startedAt;
    deps.metrics.request({ method: 'POST', route: endpoint.route, status, durationMs, error });
  }

  return (incoming, outgoing) => {
    const endpoint = endpointOf(incoming.method, incoming.url);
    if (endpoint === null) return false;
    const requestId = usableRequestId(headerOf(incoming.headers, 'x-request-id'));
    begin({ endpoint, incoming, outgoing, startedAt: performance.now(), requestId });
    return true;
  };
}

/** Node joins most repeated headers to one text, as the router sees them. */
function headerOf(headers: IncomingHttpHeaders, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Header and body leave with one write. */
function send(
  outgoing: ServerResponse,
  status: number,
  headers: readonly string[],
  requestId: string,
  json: string,
): void {
  const length = Buffer.byteLength(json);
  outgoing.writeHead(status, [...headers, 'x-request-id', requestId, 'content-length', String(length)]);
  // Nothing but ASCII in it: the cheaper way to bytes.
  outgoing.end(json, length === json.length ? 'latin1' : 'utf8');
}
