import {
  BrokenCircuitError,
  circuitBreaker,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
  IterableBackoff,
  SamplingBreaker,
} from 'cockatiel';
import type { CircuitBreakerPolicy, IBreaker } from 'cockatiel';
import { DomainError } from '../../domain/errors.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import type { ServingLog } from './ports.ts';

/** A version that is broken fails always: ten in a row are no accident. */
const FAILURES_IN_A_ROW = 10;
/** One that fails more often than not is no better, once there are enough runs to tell. */
const FAILING_SHARE = 0.5;
const SAMPLE_MS = 10_000;
const RUNS_PER_SECOND_MIN = 1;
/** Until one run is let through, after the first failure, the second, ...; the last for all that follow. */
const TRY_AGAIN_AFTER_MS = [1_000, 2_000, 5_000, 10_000, 30_000];

export const BREAKER_STATES = ['closed', 'halfOpen', 'open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

const STATES: Readonly<Record<CircuitState, BreakerState>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'halfOpen',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open',
};

interface Breaker {
  readonly policy: CircuitBreakerPolicy;
  readonly counts: IBreaker;
}

/** A circuit breaker for each loaded version; it goes when the version does. */
export class VersionBreakers {
  readonly #log: ServingLog;
  readonly #breakers = new WeakMap<LoadedModel, Breaker>();

  constructor(log: ServingLog) {
    this.#log = log;
  }

  /**
   * Runs `work` of a version, at once, unless it is known to fail.
   * @throws what `work` throws; see `isBroken` for a version that was not asked
   */
  run<T>(model: LoadedModel, name: { model: string; version: number }, work: () => Promise<T>): Promise<T> {
    const { policy: breaker } = this.#breakers.get(model) ?? this.#create(model, name);
    // While one run tries whether it works again, the others do not wait for its end.
    if (breaker.state === CircuitState.HalfOpen) return Promise.reject(new BrokenCircuitError());
    return breaker.execute(work);
  }

  stateOf(model: LoadedModel): BreakerState {
    const breaker = this.#breakers.get(model);
    return breaker === undefined ? 'closed' : STATES[breaker.policy.state];
  }

  /**
   * Whether the version can simply be asked, and what comes of it noted by `noteSuccess` and `noteFailure`: `run` costs
   * a chain of promises each time. Any other state needs `run`.
   */
  isClosed(model: LoadedModel): boolean {
    const breaker = this.#breakers.get(model);
    return breaker === undefined || breaker.policy.state === CircuitState.Closed;
  }

  /** A run that was not made by `run` has gone well. */
  noteSuccess(model: LoadedModel, { version }: { readonly version: number }, of: string): void {
    const { policy, counts } = this.#breakers.get(model) ?? this.#create(model, { model: of, version });
    if (policy.state === CircuitState.Closed) counts.success(CircuitState.Closed);
  }

  /** A run that was not made by `run` has failed. */
  noteFailure(model: LoadedModel, { version }: { readonly version: number }, of: string, error: unknown): void {
    const { policy } = this.#breakers.get(model) ?? this.#create(model, { model: of, version });
    if (policy.state !== CircuitState.Closed) return;
    policy
      .execute(() => Promise.reject(error instanceof Error ? error : new Error(String(error))))
      .catch(() => undefined);
  }

  #create(model: LoadedModel, name: { model: string; version: number }): Breaker {
    const counts = eitherOf(
      new ConsecutiveBreaker(FAILURES_IN_A_ROW),
      new SamplingBreaker({ threshold: FAILING_SHARE, duration: SAMPLE_MS, minimumRps: RUNS_PER_SECOND_MIN }),
    );
    const breaker = circuitBreaker(handleWhen(isFailure), {
      halfOpenAfter: new IterableBackoff(TRY_AGAIN_AFTER_MS),
      breaker: counts,
    });
    const { model: of, version } = name;
    breaker.onBreak(() => this.#log.error({ model: of, version }, 'a version fails and is not asked for a while'));
    breaker.onReset(() => this.#log.info({ model: of, version }, 'a version answers again'));
    const made = { policy: breaker, counts };
    this.#breakers.set(model, made);
    return made;
  }
}

/** The version was not asked: it is known to fail. */
export const isBroken = (error: unknown): boolean => error instanceof BrokenCircuitError;

/** A full queue is no fault of the version. */
const isFailure = (error: unknown): boolean => !(error instanceof DomainError && error.code === 'unavailable');

function eitherOf(a: IBreaker, b: IBreaker): IBreaker {
  return {
    state: null,
    success: (state) => {
      a.success(state);
      b.success(state);
    },
    failure: (state) => {
      const opens = a.failure(state);
      return b.failure(state) || opens;
    },
  };
}
