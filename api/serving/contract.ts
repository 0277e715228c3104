/** What the routes ask of the serving path; transport-free, so that every protocol shares it. */
import type { Problem } from '../../domain/errors.ts';
import type { RiskCategory, VariantCounts } from '../../domain/records.ts';
import type { Route, Variant } from '../../domain/routing.ts';
import type { FeatureRow, Signature } from '../../domain/signature.ts';
import type { ExplainOutcome } from './explanations.ts';
import type { BreakerState } from './version-breakers.ts';

export interface PredictRequest {
  readonly entityId: string | null;
  /** Features by name, unchecked: the serving path checks them against the signature of the version that answers. */
  readonly features: unknown;
}

export type PredictOutcome =
  | {
      readonly ok: true;
      readonly requestId: string;
      readonly model: string;
      readonly version: number;
      readonly variant: Variant;
      readonly probability: number;
      readonly label: string;
      readonly risk: RiskCategory;
      readonly threshold: number;
      readonly latencyMs: number;
      readonly warnings: readonly Problem[];
      /** Set when the champion failed and the model's fallback answered. */
      readonly degraded?: true;
    }
  | {
      readonly ok: false;
      readonly problems: readonly Problem[];
      /** Set when the row is fine and the model could not answer it, while others of the request were answered. */
      readonly code?: 'unavailable';
    };

export interface ServedModel {
  readonly model: string;
  readonly generation: number;
  readonly routes: readonly (Route & {
    readonly signature: Signature;
    readonly counts: VariantCounts;
    /** Of the version's circuit; `open`: it fails and is not asked. */
    readonly breaker?: BreakerState;
  })[];
}

export interface ServingStatus {
  /** Every routed version of every model is loaded and proven on its golden rows. */
  readonly ready: boolean;
  readonly reasons: readonly string[];
  /** Records waiting for the database, and those given up because the buffer was full. */
  readonly recordsQueued: number;
  readonly recordsDropped: number;
}

/** Takes the outcome of one row. Exactly one of the two is called, once. */
export interface OutcomeReceiver {
  onOutcome(outcome: PredictOutcome): void;
  /** @param error one of those that `Serving.predict` throws */
  onError(error: unknown): void;
}

/** A row whose features are JSON text that nobody has parsed: ASCII, in the usual form or not. */
export interface RowText {
  readonly entityId: string | null;
  readonly text: string;
  /** Where the object of the features stands in the text. */
  readonly featuresAt: number;
  readonly featuresEnd: number;
}

export interface Serving {
  /**
   * Answers one outcome per request, in order. `model` may be null when exactly one model is served.
   * @throws DomainError `notFound` (no such model; names those served), `malformedRequest` (model needed),
   *   `unavailable` (model not loaded yet, or every version failed)
   */
  predict(model: string | null, requests: readonly PredictRequest[]): Promise<readonly PredictOutcome[]>;
  /**
   * The same for one row, for callers in a hurry: its outcome is given to the receiver, at once when the row is refused.
   * Absent: ask `predict`.
   * @throws DomainError as `predict` does where it is known at once; the receiver is not called then
   */
  predictOne?(model: string | null, request: PredictRequest, receiver: OutcomeReceiver): void;
  /**
   * The same for a row that was not parsed. False: nothing was done, and it has to be parsed to say what is the matter.
   * Never throws.
   */
  predictText?(model: string | null, row: RowText, receiver: OutcomeReceiver): boolean;
  /** Why the version gives the answer it gives for the row. Never rejects. */
  explain(model: string, version: number, row: FeatureRow): Promise<ExplainOutcome>;
  /** Why a version cannot be explained; `null`: it can. Never rejects. */
  explanationRefusal(model: string, version: number): Promise<string | null>;
  served(): readonly ServedModel[];
  status(): ServingStatus;
}
