import type { VariantCounts } from '../records.ts';
import type { Verdict } from '../verdict.ts';
import type { Route } from '../routing.ts';
import type { RolloutPhase } from './state.ts';
import type { RolloutPlan } from './plan.ts';

/** What a person may order while a rollout is open. */
export type OrderName = 'promote' | 'pause' | 'resume' | 'freeze' | 'skipBake' | 'abort' | 'rollback';

export interface Order {
  readonly kind: OrderName;
  readonly nowMs: number;
  readonly by: string;
  /** Empty when none was given. */
  readonly reason: string;
}

/** What a look counted, summed since the candidate first got traffic in this rollout. */
export interface ObservedSums {
  readonly candidate: VariantCounts;
  /** The champion's traffic without the baseline. */
  readonly champion: VariantCounts;
  readonly baseline?: VariantCounts;
  /** Windows in which the candidate had traffic. */
  readonly windows: number;
  /** Requests answered by the champion and by the shadow. */
  readonly shadowPairs?: number;
}

/** A call from outside that the candidate must go. */
export interface Trigger {
  readonly kind: string;
  readonly reason: string;
  readonly by: string;
}

/** Everything that can happen to a rollout. Times are epoch ms. */
export type RolloutEvent =
  | { readonly kind: 'start'; readonly nowMs: number }
  /** The pending routing change is in force. */
  | { readonly kind: 'routed'; readonly nowMs: number; readonly generation: number }
  /** The pending routing change did not happen. `conflict`: another writer owns the routing now. */
  | { readonly kind: 'routingFailed'; readonly nowMs: number; readonly reason: string; readonly conflict: boolean }
  /** A look at the counters. */
  | {
      readonly kind: 'observed';
      readonly nowMs: number;
      readonly observation: ObservedSums;
      readonly verdict: Verdict;
    }
  /** Something this rollout needs broke for good: the traffic goes back. */
  | { readonly kind: 'failed'; readonly nowMs: number; readonly reason: string }
  | Order;

/**
 * Why a routing change is made: `step` to a weight below 100 %, `full` to 100 % with the old version kept warm,
 * `finish` to the candidate alone, `restore` back to the champion alone.
 */
export type RoutePurpose = 'step' | 'full' | 'finish' | 'restore';

export interface RouteCommand {
  readonly kind: 'route';
  readonly purpose: RoutePurpose;
  /** Generation the change is based on. A `restore` may also follow a later generation that this rollout wrote. */
  readonly expectedGeneration: number;
  /** With the rollout's id, the identity of the change: a retry of the same change is a success. */
  readonly ordinal: number;
  /** `null` once the rollout no longer owns the routing. */
  readonly rolloutId: string | null;
  readonly routes: readonly Route[];
  readonly by: string;
  readonly reason: string;
}

export interface AliasesCommand {
  readonly kind: 'setAliases';
  readonly ordinal: number;
  /** `null` removes the alias; absent leaves it. */
  readonly aliases: {
    readonly champion?: number | null;
    readonly candidate?: number | null;
    readonly previous?: number | null;
  };
  readonly by: string;
}

/** `concluded`: ended with an answer, and the champion serves on. */
export type Outcome = 'promoted' | 'rolledBack' | 'aborted' | 'concluded';

export interface CloseCommand {
  readonly kind: 'close';
  readonly outcome: Outcome;
  readonly reason: string;
}

/** Carried out in order by whoever runs the machine. A `route` is answered with `routed` or `routingFailed`. */
export type RolloutCommand = RouteCommand | AliasesCommand | CloseCommand;

/** The machine's memory: plain JSON, so that it travels through histories and continue-as-new. */
export interface RolloutState {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  /** The `previous` alias before this rollout: a rollback after 100 % puts it back. */
  readonly previousBefore: number | null;
  readonly plan: RolloutPlan;
  /** Of the assignment of keys to variants, fresh for this rollout. */
  readonly salt: string;
  readonly requestedBy: string;
  readonly phase: RolloutPhase;
  readonly stepIndex: number;
  readonly weightPercent: number;
  /** Of the last routing change in force. */
  readonly generation: number;
  readonly routes: readonly Route[];
  /** Number of the next change of routing or aliases. */
  readonly ordinal: number;
  readonly pending: PendingChange | null;
  readonly aliasesMoved: boolean;
  /** The bake clock of the step: stands still while paused. */
  readonly bakedMs: number;
  readonly clockStartedAtMs: number | null;
  readonly pausedFrom: 'running' | 'keepWarm' | null;
  readonly observation: ObservedSums | null;
  /** Candidate requests counted when the step began. */
  readonly requestsBeforeStep: number;
  readonly verdict: Verdict | null;
  readonly startedAtMs: number;
  readonly stepStartedAtMs: number;
  readonly reason: string | null;
}

export interface PendingChange {
  readonly purpose: RoutePurpose;
  readonly stepIndex: number;
  readonly routes: readonly Route[];
  readonly by: string;
  /** For `restore`: how the rollout ends once it is done. */
  readonly outcome: Outcome;
  readonly reason: string;
}

export interface Decision {
  readonly state: RolloutState;
  readonly commands: readonly RolloutCommand[];
}
