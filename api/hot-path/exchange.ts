import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Metrics } from '../../adapters/metrics.ts';
import { SECURITY_HEADERS } from '../answers.ts';
import type { ExtraHeaders } from '../answers.ts';
import { describeProblem, PROBLEM_TYPE, tellable } from '../error-handler.ts';
import { furtherRows } from '../limits/charge-rows.ts';
import type { Charge } from '../limits/charge-rows.ts';
import type { Log } from '../log.ts';
import { usableRequestId } from '../middleware/request-context.ts';
import { authorise } from '../middleware/require-permission.ts';
import type { Ticket } from '../overload/admission.ts';
import { bodyBytesOf, overdue, overloaded } from '../overload/overloaded.ts';
import { OVERLOADED_ANSWER, refuseOverloaded } from '../overload/refuse-overloaded.ts';
import { parsePredictBatchBody, parsePredictBody } from '../predict-body.ts';
import type { PredictBatchBody } from '../predict-body.ts';
import type { Protection } from '../protection.ts';
import { checkDeclaredLength, checkJsonType, collectBody, jsonOf } from '../request-body.ts';
import type { KeyDirectory, Principal } from '../security/key-directory.ts';
import { discardBody } from './discard-body.ts';
import type { Endpoint } from './find-endpoint.ts';
import type { PredictionAnswer, PredictionAnswers } from './prediction-answers.ts';
import { readHeaders } from './request-headers.ts';
import type { RequestHeaders } from './request-headers.ts';

export interface ExchangeDeps {
  readonly answers: PredictionAnswers;
  readonly keys: Pick<KeyDirectory, 'check'>;
  readonly metrics: Pick<Metrics, 'request'>;
  /** Shared with the routes. */
  readonly protection: Protection;
  readonly log: Log;
}

/** The same on every answer, as Node takes them fastest: names and values in turn. */
const COMMON_HEADERS: readonly string[] = Object.entries(SECURITY_HEADERS).flat();
const JSON_HEADERS: readonly string[] = [...COMMON_HEADERS, 'content-type', 'application/json'];
const PROBLEM_HEADERS: readonly string[] = [...COMMON_HEADERS, 'content-type', PROBLEM_TYPE];
/** An error per refusal would cost more than the rest of it. */
const OVERLOADED = overloaded();

/** One prediction request on its way to its answer. */
export class Exchange {
  readonly #deps: ExchangeDeps;
  readonly #endpoint: Endpoint;
  readonly #incoming: IncomingMessage;
  readonly #outgoing: ServerResponse;
  readonly #startedAt = performance.now();
  readonly #headers: RequestHeaders;
  /** The caller's own. */
  readonly #requestId: string | null;
  /** `null` before it is let in. */
  #ticket: Ticket | null = null;
  /** Of the limit of the caller's key, if it has one. */
  #rateHeaders: ExtraHeaders | null = null;
  #isAnswered = false;

  constructor(deps: ExchangeDeps, endpoint: Endpoint, incoming: IncomingMessage, outgoing: ServerResponse) {
    this.#deps = deps;
    this.#endpoint = endpoint;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
    this.#headers = readHeaders(incoming);
    this.#requestId = usableRequestId(this.#headers['x-request-id']);
  }

  begin(): void {
    const { keys, protection } = this.#deps;
    const headers = this.#headers;
    const bytes = bodyBytesOf(headers, this.#endpoint.limitBytes);
    this.#ticket = protection.admission.arrive(bytes, () => this.#refuse(overdue()));
    if (this.#ticket === null) {
      refuseOverloaded(this.#outgoing, this.#incoming.url ?? '', this.#requestId ?? randomUUID());
      this.#note(OVERLOADED_ANSWER.status, OVERLOADED_ANSWER.code);
      return;
    }
    try {
      const caller = authorise(keys, 'predict', (name) => headers[name]);
      const charge = protection.charge(caller, 1);
      if (charge instanceof Promise) void this.#readWhenCharged(caller, charge);
      else this.#read(caller, charge);
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #readWhenCharged(caller: Principal, charge: Promise<Charge>): Promise<void> {
    try {
      this.#read(caller, await charge);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @throws DomainError what is wrong with the request as far as it is known */
  #read(caller: Principal, charge: Charge): void {
    const headers = this.#headers;
    const { limitBytes } = this.#endpoint;
    this.#settle(charge);
    checkJsonType(headers['content-type']);
    checkDeclaredLength(headers['content-length'], limitBytes);
    collectBody(
      this.#incoming,
      limitBytes,
      (bytes) => void this.#answer(caller, bytes),
      (error) => this.#refuse(error),
    );
  }

  /** @throws DomainError `rateLimited`, `invalidInput` */
  #settle({ headers, refusal }: Charge): void {
    this.#rateHeaders = headers;
    if (refusal !== null) throw refusal;
  }

  async #answer(caller: Principal, bytes: Buffer): Promise<void> {
    try {
      if (this.#ticket?.begin() !== true) throw OVERLOADED;
      const answered = await this.#predict(caller, jsonOf(bytes, this.#headers['content-type']));
      this.#send(200, JSON_HEADERS, answered.requestId, answered.json, null);
    } catch (error) {
      this.#refuse(error);
    }
  }

  #predict(caller: Principal, body: unknown): Promise<PredictionAnswer> {
    const { model, kind } = this.#endpoint;
    if (kind === 'many') return this.#predictMany(caller, parsePredictBatchBody(body));
    const parsed = parsePredictBody(body, model !== null);
    const call = { requestId: this.#requestId, startedAt: this.#startedAt };
    return this.#deps.answers.one(call, model === null ? parsed : { ...parsed, model });
  }

  async #predictMany(caller: Principal, body: PredictBatchBody): Promise<PredictionAnswer> {
    const further = furtherRows(body.rows.length);
    if (further > 0) {
      const charge = this.#deps.protection.charge(caller, further);
      this.#settle(charge instanceof Promise ? await charge : charge);
    }
    const call = { requestId: this.#requestId ?? randomUUID(), startedAt: this.#startedAt };
    return this.#deps.answers.many(call, body);
  }

  #refuse(error: unknown): void {
    if (this.#isAnswered) return;
    const path = this.#incoming.url ?? '';
    const requestId = this.#requestId ?? randomUUID();
    const told = tellable(error, path, requestId, this.#deps.log);
    const { status, headers, json, code } = describeProblem(told, path, requestId);
    discardBody(this.#incoming);
    this.#send(status, [...PROBLEM_HEADERS, ...Object.entries(headers).flat()], requestId, json, code);
  }

  /** The first answer counts: one that was given up may come all the same. */
  #send(status: number, headers: readonly string[], requestId: string, json: string, error: string | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#ticket?.end();
    const rate = this.#rateHeaders;
    const all = rate === null ? headers : [...headers, ...Object.entries(rate).flat()];
    write(this.#outgoing, status, all, requestId, json);
    this.#note(status, error);
  }

  #note(status: number, error: string | null): void {
    const durationMs = performance.now() - this.#startedAt;
    this.#deps.metrics.request({ method: 'POST', route: this.#endpoint.route, status, durationMs, error });
  }
}

/** Header and body leave with one write. */
function write(
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
