import { randomUUID } from 'node:crypto';
import { assignRoute } from '../../domain/assignment.ts';
import { DomainError } from '../../domain/errors.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import type { EncodeResult } from '../../models/serving/row-encoder.ts';
import { answerOf, asProbability, recordOf } from './conclude.ts';
import type { Answer } from './conclude.ts';
import type { OutcomeReceiver, PredictOutcome, PredictRequest, RowText } from './contract.ts';
import type { AdoptedRouting } from './model-routing.ts';
import type { ServingMetrics } from './ports.ts';
import type { RecordSink } from './record-sink.ts';
import type { ShadowCopies } from './shadow-copies.ts';
import { SingleRow } from './single-row.ts';
import type { SingleRowEnds } from './single-row.ts';
import { TextRequest } from './text-request.ts';
import type { VariantCounters } from './variant-counters.ts';
import type { VersionBreakers } from './version-breakers.ts';

export interface SingleRowsDeps {
  readonly sink: Pick<RecordSink, 'write' | 'writeText' | 'flushed' | 'whenFlushed'>;
  readonly counters: Pick<VariantCounters, 'count'>;
  readonly breakers: Pick<VersionBreakers, 'isClosed' | 'noteSuccess' | 'noteFailure'>;
  readonly metrics: ServingMetrics;
  readonly shadows?: Pick<ShadowCopies, 'offer'>;
}

/** A model that takes single rows straight into its next run. */
type Placing = Required<Pick<LoadedModel, 'placeOne'>>;

/**
 * Rows that are sent alone, on the way that nearly all of them take: assigned, encoded into the next run, answered,
 * recorded, without a promise or a list. Whatever is not usual is left to the predictor.
 */
export class SingleRows implements SingleRowEnds {
  readonly #deps: SingleRowsDeps;
  readonly #rescue: (row: SingleRow, error: unknown) => Promise<PredictOutcome>;

  /** @param rescue answers a row that its version has failed on; rejects when nothing can */
  constructor(deps: SingleRowsDeps, rescue: (row: SingleRow, error: unknown) => Promise<PredictOutcome>) {
    this.#deps = deps;
    this.#rescue = rescue;
  }

  /**
   * False: the row is not usual, and nothing was done.
   * @throws DomainError `unavailable` when too many rows wait
   */
  take(routing: AdoptedRouting, request: PredictRequest, receiver: OutcomeReceiver): boolean {
    const { table, versions } = routing;
    const requestId = randomUUID();
    const route = assignRoute(table, request.entityId ?? requestId);
    const model = versions.get(route.version)?.loaded;
    if (model?.placeOne === undefined || (table.policy?.cache ?? null) !== null) return false;
    if (!this.#deps.breakers.isClosed(model)) return false;
    const row = new SingleRow(this, receiver, routing, route, model, request, requestId);
    const { problems, warnings } = this.#place(model as Placing, row);
    if (problems.length > 0) {
      const latencyMs = performance.now() - row.startedMs;
      this.#deps.metrics.observe(table.model, route.version, route.variant, 'invalid', latencyMs);
      receiver.onOutcome({ ok: false, problems });
      return true;
    }
    row.warnings = warnings;
    return true;
  }

  /** The same for a row that was not parsed; false also when it has to be, to say what is wrong with it. Never throws. */
  takeText(routing: AdoptedRouting, rowText: RowText, receiver: OutcomeReceiver): boolean {
    const { table, versions } = routing;
    const requestId = randomUUID();
    const route = assignRoute(table, rowText.entityId ?? requestId);
    const model = versions.get(route.version)?.loaded;
    if (model?.placeText === undefined || this.#deps.sink.writeText === undefined) return false;
    if ((table.policy?.cache ?? null) !== null || !this.#deps.breakers.isClosed(model)) return false;
    const request = new TextRequest(rowText);
    const row = new SingleRow(this, receiver, routing, route, model, request, requestId);
    try {
      return model.placeText(rowText.text, rowText.featuresAt, rowText.featuresEnd, row);
    } catch {
      // Too many rows wait: whoever parses it finds that as well.
      return false;
    }
  }

  onScored(row: SingleRow, value: number): void {
    const probability = asProbability(value);
    if (probability === null) {
      this.onFailed(row, new Error(`the model answered ${value}, which is no probability`));
      return;
    }
    const { requestId, warnings, route, model, routing } = row;
    const { table } = routing;
    const { breakers, counters, metrics } = this.#deps;
    breakers.noteSuccess(model, route, table.model);
    const latencyMs = performance.now() - row.startedMs;
    const { signature } = model;
    row.answer = answerOf({
      requestId,
      table,
      route,
      signature,
      probability,
      latencyMs,
      warnings,
      isDegraded: false,
    });
    counters.count(table, route, false, latencyMs > table.slowMs, latencyMs, probability);
    metrics.observe(table.model, route.version, route.variant, 'ok', latencyMs);
    this.#record(row.answer, row);
    if (routing.shadow !== null) {
      this.#deps.shadows?.offer(routing, row.request.features, row.request.entityId ?? requestId, row.answer);
    }
    this.#leaveWhenFlushed(row);
  }

  #record(answer: Answer, { request, routing }: SingleRow): void {
    const { sink } = this.#deps;
    if (request instanceof TextRequest && sink.writeText !== undefined) {
      sink.writeText(answer, routing.table.rolloutId, request.entityId, request.featuresJson);
    } else sink.write(recordOf(answer, routing.table, request));
  }

  onFailed(row: SingleRow, reason: unknown): void {
    const { receiver, model, route, routing } = row;
    this.#deps.breakers.noteFailure(model, route, routing.table.model, reason);
    this.#rescue(row, reason).then(
      (outcome) => receiver.onOutcome(outcome),
      (error: unknown) => receiver.onError(error),
    );
  }

  #place(model: Placing, row: SingleRow): EncodeResult {
    try {
      return model.placeOne(row.request.features, row);
    } catch (error) {
      // Too many rows wait: no fault of the version, and the champion has no room either.
      if (!(error instanceof DomainError)) throw error;
      throw new DomainError('unavailable', `No version of ${row.routing.table.model} could answer`);
    }
  }

  #leaveWhenFlushed(row: SingleRow): void {
    const { sink } = this.#deps;
    if (sink.whenFlushed !== undefined) {
      sink.whenFlushed(row);
      return;
    }
    const flushed = sink.flushed();
    if (flushed === null) row.onFlushed();
    else void flushed.then(() => row.onFlushed());
  }
}
