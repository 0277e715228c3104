import { randomUUID } from 'node:crypto';
import type { Metrics } from '../../adapters/metrics.ts';
import type { DomainError } from '../../domain/errors.ts';
import { SECURITY_HEADERS, TRACE_RESPONSE } from '../answers.ts';
import type { ExtraHeaders } from '../answers.ts';
import { describeProblem, PROBLEM_TYPE, tellable } from '../error-handler.ts';
import { furtherRows } from '../limits/charge-rows.ts';
import type { Charge } from '../limits/charge-rows.ts';
import type { Log } from '../log.ts';
import { usableRequestId } from '../middleware/request-context.ts';
import { authorise } from '../middleware/require-permission.ts';
import type { Ticket } from '../overload/admission.ts';
import { bodyBytesOf, overdue, overloaded } from '../overload/overloaded.ts';
import { OVERLOADED_ANSWER, overloadedJson } from '../overload/refuse-overloaded.ts';
import { parsePredictBatchBody, parsePredictBody } from '../predict-body.ts';
import type { PredictBatchBody } from '../predict-body.ts';
import type { Protection } from '../protection.ts';
import { checkDeclaredLength, checkJsonType, jsonOf } from '../request-body.ts';
import type { KeyDirectory, Principal } from '../security/key-directory.ts';
import { readTrace } from '../trace-context.ts';
import type { Trace } from '../trace-context.ts';
import type { OutcomeReceiver, PredictOutcome, Serving } from '../serving/contract.ts';
import type { Endpoint } from './find-endpoint.ts';
import type { PredictionAnswer, PredictionAnswers } from './prediction-answers.ts';
import type { RequestHeaders } from './request-headers.ts';
import { readRowText } from './row-text.ts';

/** What carries a request and its answer. */
export interface Wire {
  /** Path with query, as it was sent. */
  readonly url: string;
  readonly headers: RequestHeaders;
  /** Gives the body to the receiver, at once or when it is there. */
  receive(limitBytes: number, receiver: BodyReceiver): void;
  /** What is left of the body is of no use: it may be read to nowhere. */
  discard(): void;
  /** @param headers names and values in turn; id and length of the answer come on top */
  send(status: number, headers: readonly string[], requestId: string, json: string): void;
}

/** Exactly one of the two is called, once. */
export interface BodyReceiver {
  /** @param body its text, where it is ASCII and the text is at hand */
  onBody(body: Buffer | string): void;
  onLost(error: DomainError): void;
}

export interface ExchangeDeps {
  readonly answers: PredictionAnswers;
  readonly serving: Pick<Serving, 'predictOne' | 'predictText'>;
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
export class Exchange implements BodyReceiver, OutcomeReceiver {
  readonly #deps: ExchangeDeps;
  readonly #endpoint: Endpoint;
  readonly #wire: Wire;
  readonly #startedAt = performance.now();
  /** The caller's own. */
  readonly #requestId: string | null;
  /** Where the caller named one. */
  readonly #trace: Trace | null;
  #caller: Principal | null = null;
  /** `null` before it is let in. */
  #ticket: Ticket | null = null;
  /** Of the limit of the caller's key, if it has one. */
  #rateHeaders: ExtraHeaders | null = null;
  #isAnswered = false;

  constructor(deps: ExchangeDeps, endpoint: Endpoint, wire: Wire) {
    this.#deps = deps;
    this.#endpoint = endpoint;
    this.#wire = wire;
    this.#requestId = usableRequestId(wire.headers['x-request-id']);
    this.#trace = readTrace(wire.headers.traceparent);
  }

  begin(): void {
    const { keys, protection } = this.#deps;
    const { headers } = this.#wire;
    const bytes = bodyBytesOf(headers, this.#endpoint.limitBytes);
    this.#ticket = protection.admission.arrive(bytes, () => this.#refuse(overdue()));
    if (this.#ticket === null) {
      this.#refuseOverloaded();
      return;
    }
    try {
      const caller = authorise(keys, 'predict', (name) => headers[name]);
      this.#caller = caller;
      const charge = protection.charge(caller, 1);
      if (charge instanceof Promise) void this.#readWhenCharged(charge);
      else this.#read(charge);
    } catch (error) {
      this.#refuse(error);
    }
  }

  async #readWhenCharged(charge: Promise<Charge>): Promise<void> {
    try {
      this.#read(await charge);
    } catch (error) {
      this.#refuse(error);
    }
  }

  /** @throws DomainError what is wrong with the request as far as it is known */
  #read(charge: Charge): void {
    const { headers } = this.#wire;
    const { limitBytes } = this.#endpoint;
    this.#settle(charge);
    checkJsonType(headers['content-type']);
    checkDeclaredLength(headers['content-length'], limitBytes);
    this.#wire.receive(limitBytes, this);
  }

  /** @throws DomainError `rateLimited`, `invalidInput` */
  #settle({ headers, refusal }: Charge): void {
    this.#rateHeaders = headers;
    if (refusal !== null) throw refusal;
  }

  onBody(bytes: Buffer | string): void {
    try {
      if (this.#ticket?.begin() !== true) throw OVERLOADED;
      if (typeof bytes === 'string' && this.#predictText(bytes)) return;
      const body = jsonOf(bytes, this.#wire.headers['content-type']);
      if (this.#endpoint.kind === 'one') this.#predictOne(body);
      else this.#answerLater(this.#predictMany(parsePredictBatchBody(body)));
    } catch (error) {
      this.#refuse(error);
    }
  }

  onLost(error: DomainError): void {
    this.#refuse(error);
  }

  /** Without parsing, where the text is of the usual form; false: it has to be parsed. */
  #predictText(text: string): boolean {
    const { serving } = this.#deps;
    const { model, kind } = this.#endpoint;
    if (serving.predictText === undefined || kind !== 'one') return false;
    if (this.#wire.headers['content-type'] === undefined) return false;
    const row = readRowText(text, model !== null);
    return row !== null && serving.predictText(model ?? row.model, row, this);
  }

  #predictOne(body: unknown): void {
    const { serving, answers } = this.#deps;
    const { model } = this.#endpoint;
    const parsed = parsePredictBody(body, model !== null);
    const wanted = model ?? parsed.model;
    if (serving.predictOne !== undefined) {
      serving.predictOne(wanted, parsed.request, this);
      return;
    }
    const call = { requestId: this.#requestId, startedAt: this.#startedAt };
    this.#answerLater(answers.one(call, { model: wanted, request: parsed.request }));
  }

  onOutcome(outcome: PredictOutcome): void {
    try {
      const { requestId, json } = this.#deps.answers.ofOutcome(this.#requestId, outcome);
      this.#send(200, JSON_HEADERS, requestId, json, null);
    } catch (error) {
      this.#refuse(error);
    }
  }

  onError(error: unknown): void {
    this.#refuse(error);
  }

  #answerLater(answering: Promise<PredictionAnswer>): void {
    answering.then(
      ({ requestId, json }) => this.#send(200, JSON_HEADERS, requestId, json, null),
      (error: unknown) => this.#refuse(error),
    );
  }

  async #predictMany(body: PredictBatchBody): Promise<PredictionAnswer> {
    const further = furtherRows(body.rows.length);
    const caller = this.#caller;
    if (further > 0 && caller !== null) {
      const charge = this.#deps.protection.charge(caller, further);
      this.#settle(charge instanceof Promise ? await charge : charge);
    }
    const call = { requestId: this.#requestId ?? randomUUID(), startedAt: this.#startedAt };
    return this.#deps.answers.many(call, body);
  }

  #refuseOverloaded(): void {
    const requestId = this.#requestId ?? randomUUID();
    const { status, headers, code } = OVERLOADED_ANSWER;
    this.#send(status, headers, requestId, overloadedJson(this.#wire.url, requestId), code);
  }

  #refuse(error: unknown): void {
    if (this.#isAnswered) return;
    const path = this.#wire.url;
    const requestId = this.#requestId ?? randomUUID();
    const told = tellable(error, path, requestId, this.#deps.log, this.#trace);
    const { status, headers, json, code } = describeProblem(told, path, requestId);
    this.#wire.discard();
    this.#send(status, [...PROBLEM_HEADERS, ...Object.entries(headers).flat()], requestId, json, code);
  }

  /** The first answer counts: one that was given up may come all the same. */
  #send(status: number, headers: readonly string[], requestId: string, json: string, error: string | null): void {
    if (this.#isAnswered) return;
    this.#isAnswered = true;
    this.#ticket?.end();
    this.#wire.send(status, this.#withOwn(headers), requestId, json);
    const durationMs = performance.now() - this.#startedAt;
    this.#deps.metrics.request({ method: 'POST', route: this.#endpoint.route, status, durationMs, error });
  }

  /** The list itself where there is nothing of this request's own: its text is known then. */
  #withOwn(headers: readonly string[]): readonly string[] {
    const rate = this.#rateHeaders;
    const trace = this.#trace;
    const limited = rate === null ? headers : [...headers, ...Object.entries(rate).flat()];
    return trace === null ? limited : [...limited, TRACE_RESPONSE, trace.response];
  }
}
