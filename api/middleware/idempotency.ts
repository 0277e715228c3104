/** `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a write that is sent again is answered again, not done again. */
import { createHash } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import type { FirstAnswer, IdempotencyStore } from '../../db/idempotency-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { answer } from '../answers.ts';
import type { AppEnv } from '../app-env.ts';
import type { Log } from '../log.ts';
import { readBytes } from '../request-body.ts';

/** A UUID has 36; longer keys are no names. */
const KEY_LENGTH_MAX = 255;
/** A structured string (RFC 9651), as the draft has it, or the bare text that most clients send. */
const KEY = new RegExp(`^(?:"([ -!#-~]{1,${KEY_LENGTH_MAX}})"|([!#-~]{1,${KEY_LENGTH_MAX}}))$`);
/** The answers kept here are a few hundred bytes. */
const ANSWER_CHARACTERS_MAX = 64 * 1024;
/** A first request that is under way is over soon. */
const IN_FLIGHT_RETRY_S = 1;
export const IDEMPOTENCY_HEADER = 'Idempotency-Key';

export interface IdempotencyDeps {
  readonly idempotency: IdempotencyStore;
  readonly log: Log;
}

export interface IdempotencyOptions {
  readonly limitBytes: number;
  /** The answer holds a secret in this body: what to keep of it instead, an id to find it by. */
  readonly subjectOf?: (body: Readonly<Record<string, unknown>>) => string;
}

const sha256 = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
};

const refuse = (code: 'malformedRequest' | 'invalidInput' | 'conflict', message: string): DomainError =>
  new DomainError(code, `The ${IDEMPOTENCY_HEADER} ${message}`, [{ field: IDEMPOTENCY_HEADER, message }]);

/** @throws DomainError `malformedRequest` */
function readKey(header: string): string {
  const [, quoted, bare] = KEY.exec(header.trim()) ?? [];
  const key = quoted ?? bare;
  if (key !== undefined) return key;
  throw refuse('malformedRequest', `is not 1 to ${KEY_LENGTH_MAX} visible ASCII characters`);
}

/**
 * Answers a write that carries a known `Idempotency-Key` as the first time (status and body), for 24 h. Another body
 * under the same key is refused with 422, a first request still in flight with 409, and where the first answer held a
 * secret, 409 `alreadyDone` names what was made. An answer that may differ the next time (5xx, 409, 429) is not kept.
 */
export function idempotent(deps: IdempotencyDeps, options: IdempotencyOptions): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const header = c.req.header(IDEMPOTENCY_HEADER);
    if (header === undefined) return next();
    const key = readKey(header);
    const body = await readBytes(c, options.limitBytes);
    c.set('body', body);
    const keyHash = sha256(c.get('principal')?.keyId ?? '', c.req.method, c.req.path, key);
    const claim = await deps.idempotency.claim(keyHash, sha256(body));
    if (claim.kind === 'answered') return answerAgain(c, claim.answer);
    if (claim.kind === 'otherBody') throw refuse('invalidInput', 'came with another body before: take a new one');
    if (claim.kind === 'inFlight') throw inFlight();
    try {
      await next();
    } finally {
      await keep(c, deps, options, keyHash, claim.attempt);
    }
    return undefined;
  };
}

function inFlight(): DomainError {
  const message = 'belongs to a request that is still under way';
  const problems = [{ field: IDEMPOTENCY_HEADER, message }];
  return new DomainError('conflict', `The ${IDEMPOTENCY_HEADER} ${message}`, problems, IN_FLIGHT_RETRY_S);
}

function answerAgain(c: Context<AppEnv>, { status, contentType, body, subject }: FirstAnswer): Response {
  if (subject !== null) {
    const message = `was answered before, with a secret that is not kept; what was made has the id ${subject}`;
    throw new DomainError('alreadyDone', `The request with this ${IDEMPOTENCY_HEADER} ${message}`, [
      { field: 'id', message: 'was made by the first request', allowed: [subject] },
    ]);
  }
  return answer(c, status, body, contentType, { 'idempotent-replayed': 'true' });
}

/** The answer leaves whatever becomes of this: the write is done, or refused, already. */
async function keep(
  c: Context<AppEnv>,
  { idempotency, log }: IdempotencyDeps,
  options: IdempotencyOptions,
  keyHash: string,
  attempt: string,
): Promise<void> {
  try {
    const first = await firstAnswer(c, options);
    if (first === null) await idempotency.release(keyHash, attempt);
    else await idempotency.settle(keyHash, attempt, first);
  } catch (error) {
    log.warn({ err: error, requestId: c.get('requestId') }, 'answer to a write with an idempotency key not kept');
  }
}

/** `null`: it is not one to give again. */
async function firstAnswer(c: Context<AppEnv>, { subjectOf }: IdempotencyOptions): Promise<FirstAnswer | null> {
  const { status, headers } = c.res;
  if (status >= 500 || status === 429 || status === 409) return null;
  const text = status === 204 ? '' : await c.res.clone().text();
  if (text.length > ANSWER_CHARACTERS_MAX) return null;
  const contentType = headers.get('content-type');
  if (subjectOf === undefined || status >= 300) return { status, contentType, body: text, subject: null };
  return { status, contentType, body: null, subject: subjectOf(JSON.parse(text) as Record<string, unknown>) };
}
