import type { RoutingTable } from './routing.ts';

/** What is answered when the champion fails. */
export type Fallback =
  /** Status 503. */
  | { readonly kind: 'none' }
  /** The version before answers; it is kept loaded for that. */
  | { readonly kind: 'previous' }
  /** The same for everybody, for example the share of positives in the data. */
  | { readonly kind: 'constant'; readonly probability: number };

/** Answers kept for rows that are asked again. */
export interface CachePolicy {
  readonly ttlMs: number;
  /** Per version and API process. */
  readonly maxEntries: number;
}

/** How a model's answers are served, apart from who gives them. */
export interface ServingPolicy {
  readonly fallback: Fallback;
  /** `null`: every row is asked of the model. */
  readonly cache: CachePolicy | null;
  /** The version that the alias `previous` names. */
  readonly previous: number | null;
}

export const NO_SERVING_POLICY: ServingPolicy = { fallback: { kind: 'none' }, cache: null, previous: null };

/** A routing table with the policy of its model, as the API processes read them. */
export interface RoutedModel extends RoutingTable {
  /** Absent: none was written. Unlike the rest it may change within a generation. */
  readonly policy?: ServingPolicy;
}
