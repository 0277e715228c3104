import type { Problem } from '../../domain/errors.ts';
import type { Route } from '../../domain/routing.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import type { RowWaiter } from '../../models/serving/row-batcher.ts';
import type { Answer } from './conclude.ts';
import type { OutcomeReceiver, PredictRequest } from './contract.ts';
import type { AdoptedRouting } from './model-routing.ts';

/** What becomes of a single row. */
export interface SingleRowEnds {
  /** The model has answered; what it gave may be no probability. Never throws. */
  onScored(row: SingleRow, value: number): void;
  /** The run has failed. Never throws. */
  onFailed(row: SingleRow, reason: unknown): void;
}

/**
 * A row that was sent alone, on its way to an answer: the one object it costs. It is also the waiter of the run and of
 * the journal, so neither needs a promise.
 */
export class SingleRow implements RowWaiter {
  readonly routing: AdoptedRouting;
  readonly route: Route;
  readonly model: LoadedModel;
  readonly request: PredictRequest;
  readonly requestId: string;
  /** Start of the call, `performance.now()`. */
  readonly startedMs: number;
  warnings: readonly Problem[];
  /** What the caller gets once its record is safe. */
  answer: Answer | null = null;
  readonly #ends: SingleRowEnds;
  readonly #receiver: OutcomeReceiver;

  constructor(
    ends: SingleRowEnds,
    receiver: OutcomeReceiver,
    routing: AdoptedRouting,
    route: Route,
    model: LoadedModel,
    request: PredictRequest,
    requestId: string,
  ) {
    this.#ends = ends;
    this.#receiver = receiver;
    this.routing = routing;
    this.route = route;
    this.model = model;
    this.request = request;
    this.requestId = requestId;
    this.startedMs = performance.now();
    this.warnings = NO_PROBLEMS;
  }

  resolve(value: number): void {
    this.#ends.onScored(this, value);
  }

  reject(reason: unknown): void {
    this.#ends.onFailed(this, reason);
  }

  /** The record is as safe as it gets. */
  onFlushed(): void {
    if (this.answer !== null) this.#receiver.onOutcome(this.answer);
  }

  get receiver(): OutcomeReceiver {
    return this.#receiver;
  }
}

const NO_PROBLEMS: readonly Problem[] = [];
