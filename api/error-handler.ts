/** The one translator of broken rules to HTTP: `DomainError` to problem details (RFC 9457). */
import type { Context } from 'hono';
import { DomainError, ERROR_CODES } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { answer, answerJson } from './answers.ts';
import type { ExtraHeaders } from './answers.ts';
import type { AppEnv } from './app-env.ts';
import type { Log } from './log.ts';
import type { Trace } from './trace-context.ts';

/** Connections to the database and to Temporal are retried about once a second: two seconds later is worth a try. */
const RETRY_AFTER_SECONDS = 2;

export const PROBLEM_TYPE = 'application/problem+json';

const TITLES: Readonly<Record<ErrorCode, string>> = {
  invalidInput: 'The input cannot be used',
  malformedRequest: 'The request cannot be read',
  unauthenticated: 'A valid API key is needed',
  forbidden: 'The API key lacks a permission',
  notFound: 'Not found',
  methodNotAllowed: 'Not a method of this path',
  conflict: 'In conflict with the current state',
  payloadTooLarge: 'The body is too large',
  unsupportedMediaType: 'Not a type this operation takes',
  refused: 'A rule of the platform says no',
  fenced: 'Control writes are not taken here',
  alreadyDone: 'Done before',
  rateLimited: 'Too much asked for now',
  dataInvalid: 'The data cannot be used',
  trainingFailed: 'The training failed',
  artefactCorrupt: 'An artefact is damaged',
  unavailable: 'Not available at the moment',
  overloaded: 'Too much at once',
  internal: 'Unexpected error',
};

const kebab = (code: string): string => code.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The headers a status asks for by its standard (RFC 9110). */
function headersOf(error: DomainError): ExtraHeaders {
  switch (error.code) {
    case 'unauthenticated':
      return { 'www-authenticate': 'ApiKey realm="sluice", header="X-API-Key"' };
    case 'unavailable':
    case 'rateLimited':
    case 'overloaded':
      return { 'retry-after': String(error.retryAfterSeconds ?? RETRY_AFTER_SECONDS) };
    case 'methodNotAllowed':
      return { allow: (error.problems[0]?.allowed ?? []).join(', ') };
    case 'conflict':
      return error.retryAfterSeconds === null ? {} : { 'retry-after': String(error.retryAfterSeconds) };
    default:
      return {};
  }
}

/** A failure as it is answered, whatever carries it. */
export interface ProblemAnswer {
  readonly status: number;
  readonly code: ErrorCode;
  readonly headers: ExtraHeaders;
  readonly json: string;
}

/** @param path of the request, as `instance` */
export function describeProblem(error: DomainError, path: string, requestId: string): ProblemAnswer {
  const { code } = error;
  const { status } = ERROR_CODES[code];
  const json = JSON.stringify({
    type: `urn:sluice:problem:${kebab(code)}`,
    title: TITLES[code],
    status,
    detail: error.message,
    instance: path,
    request_id: requestId,
    error: code,
    problems: error.problems,
  });
  return { status, code, headers: headersOf(error), json };
}

function answerProblem(c: Context<AppEnv>, error: DomainError): Response {
  c.set('errorCode', error.code);
  const form = c.get('errorForm');
  if (form !== undefined) return answerJson(c, form.statusOf(error.code), form.body(error), headersOf(error));
  const { status, headers, json } = describeProblem(error, c.req.path, c.get('requestId'));
  return answer(c, status, json, PROBLEM_TYPE, headers);
}

/**
 * What the caller is told. Anything that is not a broken rule is a defect: the log gets it whole, the caller an id to
 * ask with.
 */
export function tellable(
  error: unknown,
  path: string,
  requestId: string,
  log: Log,
  trace: Trace | null = null,
): DomainError {
  const ids = { requestId, ...(trace === null ? {} : { traceId: trace.traceId }) };
  if (error instanceof DomainError && error.code !== 'internal') {
    // Overload is no news after the first time: it is counted, and a line each would add to it.
    if (ERROR_CODES[error.code].status >= 500 && error.code !== 'overloaded') {
      log.warn({ ...ids, code: error.code, reason: error.message }, 'request not answered');
    }
    return error;
  }
  log.error({ ...ids, route: path, err: error }, 'request failed unexpectedly');
  return new DomainError('internal', 'Something went wrong here. The log names the cause under the request id');
}

export function createErrorHandler(log: Log): (error: unknown, c: Context<AppEnv>) => Response {
  return (error, c) => answerProblem(c, tellable(error, c.req.path, c.get('requestId'), log, c.get('trace')));
}
