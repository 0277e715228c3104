import { randomUUID } from 'node:crypto';
import { assignRoute } from '../../domain/assignment.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { Route } from '../../domain/routing.ts';
import { NO_SERVING_POLICY } from '../../domain/serving-policy.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import { BULK_CHUNK_ROWS } from '../../models/serving/row-batcher.ts';
import { answerOf, asProbability, recordOf } from './conclude.ts';
import type { OutcomeReceiver, PredictOutcome, PredictRequest, RowText } from './contract.ts';
import type { AdoptedRouting } from './model-routing.ts';
import type { ServingLog, ServingMetrics } from './ports.ts';
import { createRareLog } from './rare-log.ts';
import type { RecordSink } from './record-sink.ts';
import { ResultCaches, scoreCached } from './result-cache.ts';
import type { ShadowCopies } from './shadow-copies.ts';
import { SingleRows } from './single-rows.ts';
import type { SingleRow } from './single-row.ts';
import type { VariantCounters } from './variant-counters.ts';
import { isBroken } from './version-breakers.ts';
import type { VersionBreakers } from './version-breakers.ts';

/** A version that fails for every request says so this often. */
const LOG_FAILURES_EVERY_MS = 10_000;

export interface PredictorDeps {
  /** The routing in force now: it may have changed since a call began. */
  readonly current: (model: string) => AdoptedRouting | undefined;
  readonly sink: Pick<RecordSink, 'write' | 'writeText' | 'flushed' | 'whenFlushed'>;
  readonly counters: Pick<VariantCounters, 'count'>;
  readonly breakers: Pick<VersionBreakers, 'run' | 'isClosed' | 'noteSuccess' | 'noteFailure'>;
  readonly metrics: ServingMetrics;
  readonly log: ServingLog;
  /** Absent: shadows are not asked. */
  readonly shadows?: Pick<ShadowCopies, 'offer'>;
}

/** One call: the routing it began with holds until its end. */
interface Call {
  readonly routing: AdoptedRouting;
  readonly startedMs: number;
  /** Slower than this is slow. The limit speaks of one run; a call of many rows takes several. */
  readonly slowMs: number;
}

/** A row on its way to an answer. */
interface Row {
  readonly request: PredictRequest;
  readonly requestId: string;
  warnings: readonly Problem[];
  outcome: PredictOutcome | null;
}

const COULD_NOT_ANSWER: PredictOutcome = {
  ok: false,
  code: 'unavailable',
  problems: [{ field: '', message: 'the model could not answer this row; try again' }],
};

/**
 * Answers the rows of one call: assigns each to a version, checks and encodes it by that version's signature, runs,
 * records. Rows the candidate fails on are answered by the champion; the failure counts against the candidate. Rows the
 * champion fails on are answered by the model's fallback, marked as degraded. A version that fails again and again is
 * not asked for a while.
 */
export class Predictor {
  readonly #deps: PredictorDeps;
  readonly #rarely = createRareLog(LOG_FAILURES_EVERY_MS);
  readonly #caches = new ResultCaches();
  readonly #singles: SingleRows;

  constructor(deps: PredictorDeps) {
    this.#deps = deps;
    this.#singles = new SingleRows(deps, (row, error) => this.#rescue(row, error));
  }

  /**
   * One row without a promise, where nothing is in the way of it; the outcome is the same as that of `predict`.
   * @throws DomainError `unavailable` when too many rows wait
   */
  predictOne(routing: AdoptedRouting, request: PredictRequest, receiver: OutcomeReceiver): void {
    if (this.#singles.take(routing, request, receiver)) return;
    this.predict(routing, [request]).then(
      ([outcome]) => receiver.onOutcome(outcome ?? COULD_NOT_ANSWER),
      (error: unknown) => receiver.onError(error),
    );
  }

  /** The same for a row that was not parsed; false: it has to be. Never throws. */
  predictText(routing: AdoptedRouting, row: RowText, receiver: OutcomeReceiver): boolean {
    return this.#singles.takeText(routing, row, receiver);
  }

  /** What follows when a version has failed on a single row. */
  async #rescue({ routing, route, request, requestId, startedMs }: SingleRow, error: unknown): Promise<PredictOutcome> {
    const call: Call = { routing, startedMs, slowMs: routing.table.slowMs };
    const row: Row = { request, requestId, warnings: [], outcome: null };
    this.#noteFailure(call, route, 1, error);
    await this.#fallBack(call, route, [row]);
    if (row.outcome === null) throw noVersionOf(routing);
    await this.#deps.sink.flushed();
    return row.outcome;
  }

  /** @throws DomainError `unavailable` when no row could be answered for failures of the model */
  async predict(routing: AdoptedRouting, requests: readonly PredictRequest[]): Promise<readonly PredictOutcome[]> {
    const runs = Math.max(1, Math.ceil(requests.length / BULK_CHUNK_ROWS));
    const call: Call = { routing, startedMs: performance.now(), slowMs: routing.table.slowMs * runs };
    const rows: Row[] = [];
    const byRoute = new Map<Route, Row[]>();
    for (const request of requests) {
      const requestId = randomUUID();
      const route = assignRoute(routing.table, request.entityId ?? requestId);
      const row: Row = { request, requestId, warnings: [], outcome: null };
      rows.push(row);
      const together = byRoute.get(route);
      if (together === undefined) byRoute.set(route, [row]);
      else together.push(row);
    }
    if (byRoute.size === 1) for (const [route, group] of byRoute) await this.#answerWithFallback(call, route, group);
    else await Promise.all([...byRoute].map(([route, group]) => this.#answerWithFallback(call, route, group)));
    const outcomes = rows.map((row) => row.outcome ?? COULD_NOT_ANSWER);
    if (outcomes.length > 0 && outcomes.every((outcome) => outcome === COULD_NOT_ANSWER)) {
      throw noVersionOf(routing);
    }
    const recorded = this.#deps.sink.flushed();
    if (recorded !== null) await recorded;
    return outcomes;
  }

  /** Leaves the outcome of rows that could not be answered at `null`. */
  async #answerWithFallback(call: Call, route: Route, rows: readonly Row[]): Promise<void> {
    const failed = await this.#answer(call, route, rows);
    if (failed.length > 0) await this.#fallBack(call, route, failed);
  }

  /** Answers rows that the version of `route` has failed on by others. */
  async #fallBack(call: Call, route: Route, rows: readonly Row[]): Promise<void> {
    let failed = rows;
    // The versions this call began with may be released by now.
    const routing = this.#deps.current(call.routing.table.model) ?? call.routing;
    const now = { ...call, routing };
    const champion = routing.table.routes.find((r) => r.variant === 'champion');
    if (champion === undefined) return;
    if (route.variant === 'candidate') failed = await this.#answer(now, champion, failed);
    if (failed.length > 0) await this.#answerDegraded(now, champion, failed);
  }

  /** The model's fallback. Speaks of no version: nothing is counted for or against one. */
  async #answerDegraded(call: Call, champion: Route, rows: readonly Row[]): Promise<void> {
    const { fallback, previous } = call.routing.table.policy ?? NO_SERVING_POLICY;
    if (fallback.kind === 'none') return;
    if (fallback.kind === 'constant') {
      const model = call.routing.versions.get(champion.version)?.loaded;
      if (model === undefined) return;
      const accepted = rows.filter((row) => this.#encode(call, champion, model, row, model.row, 0));
      for (const row of accepted) this.#conclude(call, champion, model, row, fallback.probability, true);
      return;
    }
    const model = previous === null ? undefined : call.routing.versions.get(previous)?.loaded;
    if (previous === null || model === undefined) return;
    const route: Route = { ...champion, version: previous };
    const accepted: Row[] = [];
    try {
      const answers = await this.#score(call, route, model, rows, accepted);
      accepted.forEach((row, i) => this.#conclude(call, route, model, row, answers[i] ?? NaN, true));
    } catch (error) {
      const details = { err: error, model: call.routing.table.model, version: previous };
      this.#rarely(`${details.model}/fallback`, () => this.#deps.log.error(details, 'the fallback failed as well'));
    }
  }

  /** Answers rows by one version; returns those it failed on, counted. */
  async #answer(call: Call, route: Route, rows: readonly Row[]): Promise<readonly Row[]> {
    const model = call.routing.versions.get(route.version)?.loaded;
    if (model === undefined) return rows;
    const accepted: Row[] = [];
    let answers: ArrayLike<number>;
    try {
      answers = await this.#score(call, route, model, rows, accepted);
    } catch (error) {
      if (isBroken(error)) {
        this.#countFailure(call, route, rows.length, 'diverted');
        return rows;
      }
      // Too many rows wait: no fault of the version, and the champion has no room either.
      if (error instanceof DomainError && error.code === 'unavailable') return [];
      this.#noteFailure(call, route, accepted.length, error);
      return accepted;
    }
    return accepted.filter((row, i) => !this.#conclude(call, route, model, row, answers[i] ?? NaN, false));
  }

  /** Fills `accepted` with the rows that the answers are for, in order. */
  #score(
    call: Call,
    route: Route,
    model: LoadedModel,
    rows: readonly Row[],
    accepted: Row[],
  ): Promise<ArrayLike<number>> {
    const name = { model: call.routing.table.model, version: route.version };
    return this.#deps.breakers.run(model, name, async () => {
      const answers = await (rows.length === 1
        ? this.#scoreOne(call, route, model, rows[0] as Row, accepted)
        : this.#scoreMany(call, route, model, rows, accepted));
      if (accepted.length > 0 && !accepted.some((_, i) => asProbability(answers[i] ?? NaN) !== null)) {
        throw new Error(`the model answered ${answers[0]}, which is no probability`);
      }
      return answers;
    });
  }

  async #scoreOne(call: Call, route: Route, model: LoadedModel, row: Row, accepted: Row[]): Promise<ArrayLike<number>> {
    if (!this.#encode(call, route, model, row, model.row, 0)) return [];
    accepted.push(row);
    const run = async (): Promise<ArrayLike<number>> => [await model.predictOne(model.row)];
    return this.#scoreKnown(call, model, model.row, 1, run);
  }

  #scoreMany(
    call: Call,
    route: Route,
    model: LoadedModel,
    rows: readonly Row[],
    accepted: Row[],
  ): Promise<ArrayLike<number>> {
    const { width } = model.encoder;
    const matrix = new Float32Array(rows.length * width);
    for (const row of rows) {
      if (this.#encode(call, route, model, row, matrix, accepted.length * width)) accepted.push(row);
    }
    const run = (asked: Float32Array, count: number) => model.predictMany(asked, count);
    return this.#scoreKnown(call, model, matrix, accepted.length, run);
  }

  /** By kept answers where the model's policy keeps them. */
  #scoreKnown(
    call: Call,
    model: LoadedModel,
    matrix: Float32Array,
    count: number,
    run: (matrix: Float32Array, count: number) => Promise<ArrayLike<number>>,
  ): Promise<ArrayLike<number>> {
    const { table } = call.routing;
    const cache = this.#caches.of(model, table.policy?.cache ?? null);
    if (cache === null) return run(matrix, count);
    const { width } = model.encoder;
    return scoreCached(cache, matrix, count, width, run, (outcome) =>
      this.#deps.metrics.cacheLookup?.(table.model, outcome),
    );
  }

  /** False: refused for its input, and the row's outcome says why. */
  #encode(call: Call, route: Route, model: LoadedModel, row: Row, out: Float32Array, offset: number): boolean {
    const { problems, warnings } = model.encoder.encode(row.request.features, out, offset);
    row.warnings = warnings;
    if (problems.length === 0) return true;
    row.outcome = { ok: false, problems };
    const { model: name } = call.routing.table;
    this.#deps.metrics.observe(name, route.version, route.variant, 'invalid', performance.now() - call.startedMs);
    return false;
  }

  /** False: what the model gave is no probability, which is its error. */
  #conclude(call: Call, route: Route, model: LoadedModel, row: Row, value: number, isDegraded: boolean): boolean {
    const probability = asProbability(value);
    if (probability === null) {
      this.#noteFailure(call, route, 1, new Error(`the model answered ${value}, which is no probability`));
      return false;
    }
    const { table } = call.routing;
    const { requestId, request, warnings } = row;
    const { signature } = model;
    const latencyMs = performance.now() - call.startedMs;
    const answer = answerOf({ requestId, table, route, signature, probability, latencyMs, warnings, isDegraded });
    row.outcome = answer;
    if (!isDegraded) {
      this.#deps.counters.count(table, route, false, latencyMs > call.slowMs, latencyMs, probability);
      if (call.routing.shadow !== null) {
        this.#deps.shadows?.offer(call.routing, request.features, request.entityId ?? requestId, answer);
      }
    }
    this.#deps.metrics.observe(table.model, route.version, route.variant, isDegraded ? 'degraded' : 'ok', latencyMs);
    this.#deps.sink.write(recordOf(answer, table, request));
    return true;
  }

  /** Also rows that a version was spared: its callers would have got errors, and a rollout judges by that. */
  #countFailure(call: Call, route: Route, rows: number, status: 'error' | 'diverted'): void {
    const { table } = call.routing;
    const latencyMs = performance.now() - call.startedMs;
    for (let i = 0; i < rows; i += 1) {
      this.#deps.counters.count(table, route, true, latencyMs > call.slowMs, latencyMs, null);
      this.#deps.metrics.observe(table.model, route.version, route.variant, status, latencyMs);
    }
  }

  #noteFailure(call: Call, route: Route, rows: number, error: unknown): void {
    this.#countFailure(call, route, rows, 'error');
    const { table } = call.routing;
    const details = { err: error, model: table.model, version: route.version, variant: route.variant, rows };
    this.#rarely(`${table.model}/${route.version}`, () => this.#deps.log.error(details, 'a version failed to answer'));
  }
}

const noVersionOf = ({ table }: AdoptedRouting): DomainError =>
  new DomainError('unavailable', `No version of ${table.model} could answer`);
