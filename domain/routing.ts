/**
 * Which version answers which share of a model's traffic. Written by compare-and-set on `generation`. `baseline` is
 * the champion's version, counted apart as a concurrent control of the candidate's size; `shadow` answers nobody.
 */
export const VARIANTS = ['champion', 'baseline', 'candidate', 'shadow'] as const;
export type Variant = (typeof VARIANTS)[number];

export interface Route {
  readonly variant: Variant;
  readonly version: number;
  /** 0..100. The weights of a table sum to 100. A weight of 0 keeps the version loaded and warm. */
  readonly weightPercent: number;
  /** Of `shadow` alone: the share of requests, 0..100, that are copied to the version after their answer has left. */
  readonly mirrorPercent?: number;
}

export interface RoutingTable {
  readonly model: string;
  /** Grows by one with every change; a writer names the generation it read. */
  readonly generation: number;
  /** Salt of the assignment; a new rollout draws a new one. */
  readonly salt: string;
  /** The rollout that set these weights, `null` when none is running. */
  readonly rolloutId: string | null;
  readonly routes: readonly Route[];
  /** Requests slower than this count as slow in the variant counters, ms. */
  readonly slowMs: number;
}
