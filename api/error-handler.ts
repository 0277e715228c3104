/** The one translator of broken rules to HTTP: `DomainError` to problem details (RFC 9457). */
import type { Context } from 'hono';
import { DomainError, ERROR_CODES } from '../domain/errors.ts';
import type { ErrorCode } from '../domain/errors.ts';
import { answer, answerJson } from './answers.ts';
import type { ExtraHeaders } from './answers.ts';
import type { AppEnv } from './app-env.ts';
import type { Log } from './log.ts';

/** Connections to the database and to Temporal are retried about once a second: two seconds later is worth a try. */
const RETRY_AFTER_SECONDS = 2;

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
  dataInvalid: 'The data cannot be used',
  trainingFailed: 'The training failed',
  artefactCorrupt: 'An artefact is damaged',
  unavailable: 'Not available at the moment',
  internal: 'Unexpected error',
};

const kebab = (code: string): string => code.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);

/** The headers a status asks for by its standard (RFC 9110). */
function headersOf(error: DomainError): ExtraHeaders {
  switch (error.code) {
    case 'unauthenticated':
      return { 'www-authenticate': 'ApiKey realm="sluice", header="X-API-Key"' };
    case 'unavailable':
      return { 'retry-after': String(RETRY_AFTER_SECONDS) };
    case 'methodNotAllowed':
      return { allow: (error.problems[0]?.allowed ?? []).join(', ') };
    default:
      return {};
  }
}

function answerProblem(c: Context<AppEnv>, error: DomainError): Response {
  const { status } = ERROR_CODES[error.code];
  c.set('errorCode', error.code);
  const form = c.get('errorForm');
  if (form !== undefined) return answerJson(c, form.statusOf(error.code), form.body(error), headersOf(error));
  const body = {
    type: `urn:sluice:problem:${kebab(error.code)}`,
    title: TITLES[error.code],
    status,
    detail: error.message,
    instance: c.req.path,
    request_id: c.get('requestId'),
    error: error.code,
    problems: error.problems,
  };
  return answer(c, status, JSON.stringify(body), 'application/problem+json', headersOf(error));
}

/** Anything that is not a broken rule is a defect: the log gets it whole, the caller an id to ask with. */
export function createErrorHandler(log: Log): (error: unknown, c: Context<AppEnv>) => Response {
  return (error, c) => {
    if (error instanceof DomainError && error.code !== 'internal') {
      if (ERROR_CODES[error.code].status >= 500) {
        log.warn({ requestId: c.get('requestId'), code: error.code, reason: error.message }, 'request not answered');
      }
      return answerProblem(c, error);
    }
    log.error({ requestId: c.get('requestId'), route: c.req.path, err: error }, 'request failed unexpectedly');
    return answerProblem(
      c,
      new DomainError('internal', 'Something went wrong here. The log names the cause under the request id'),
    );
  };
}
