import type { VariantCounts } from '../records.ts';
import type { Verdict } from '../verdict.ts';
import type { Route } from '../routing.ts';
import type { ApproverRole } from '../approver-role.ts';
import type { CompletePlan } from './plan.ts';
import type { Adoption, Approval, Hold, RolloutPhase } from './state.ts';

/** What a person may order while a rollout is open. */
export type OrderName = 'promote' | 'pause' | 'resume' | 'freeze' | 'skipBake' | 'abort' | 'rollback';

interface Sent {
  readonly nowMs: number;
  readonly by: string;
  /** Empty when none was given. */
  readonly reason: string;
  /** Its sender has given up by then, and may have done otherwise; `null`: it never expires. */
  readonly expiresAtMs: number | null;
}

export interface Order extends Sent {
  readonly kind: OrderName;
}

/** Somebody agrees to the next step, or does not, having seen the evidence that `evidenceHash` stands for. */
export interface ApprovalOrder extends Sent {
  readonly kind: 'approve';
  readonly role: ApproverRole;
  readonly evidenceHash: string;
  readonly decision: 'approve' | 'reject';
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
  | { readonly kind: 'start'; readonly nowMs: number; readonly hold?: Hold | null }
  /** The pending routing change is in force. */
  | {
      readonly kind: 'routed';
      readonly nowMs: number;
      readonly generation: number;
      readonly adoption?: Adoption | null;
    }
  /** The pending routing change did not happen. `conflict`: another writer owns the routing now. */
  | { readonly kind: 'routingFailed'; readonly nowMs: number; readonly reason: string; readonly conflict: boolean }
  | Observed
  /** A call from outside: the candidate must go at once. */
  | { readonly kind: 'trigger'; readonly nowMs: number; readonly trigger: Trigger }
  /** The group this rollout belongs to may take the steps up to this one. */
  | { readonly kind: 'release'; readonly nowMs: number; readonly upToStep: number }
  /** Something this rollout needs broke for good: the traffic goes back. */
  | { readonly kind: 'failed'; readonly nowMs: number; readonly reason: string }
  | ApprovalOrder
  | Order;

/** A look at the counters. */
export interface Observed {
  readonly kind: 'observed';
  readonly nowMs: number;
  readonly observation: ObservedSums;
  readonly verdict: Verdict;
  readonly hold?: Hold | null;
  readonly triggers?: readonly Trigger[];
  readonly adoption?: Adoption | null;
}

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
  /** What was known when it was decided. */
  readonly evidence: Verdict | null;
}

/** The version may not be rolled out until a person releases it. */
export interface QuarantineCommand {
  readonly kind: 'quarantine';
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
export type RolloutCommand = RouteCommand | AliasesCommand | QuarantineCommand | CloseCommand;

/** The machine's memory: plain JSON, so that it travels through histories and continue-as-new. */
export interface RolloutState {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  /** The `previous` alias before this rollout: a rollback after 100 % puts it back. */
  readonly previousBefore: number | null;
  readonly plan: CompletePlan;
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
  /** Reading of the bake clock from which on the step's longest wait counts. */
  readonly waitFromMs: number;
  readonly bakeSkipped: boolean;
  readonly pausedFrom: 'starting' | 'running' | 'keepWarm' | null;
  /** Given on the evidence as it is now; a change of the evidence or of the step clears them. */
  readonly approvals: readonly Approval[];
  /** Whether approvals are bound to watched metrics as well. Absent in runs that began before they were. */
  readonly bindsWatched?: boolean;
  /** How people were last asked to act. Absent in runs that began before it was kept. */
  readonly asked?: Asked | null;
  readonly hold: Hold | null;
  readonly adoption: Adoption | null;
  /** A call that came while the rollout was frozen. */
  readonly heldTrigger: Trigger | null;
  /** Of a group: steps above this one wait for the others. `null`: it belongs to none. */
  readonly releasedStep: number | null;
  readonly observation: ObservedSums | null;
  /** Candidate requests (or pairs of a shadow) counted when the step began. */
  readonly requestsBeforeStep: number;
  readonly verdict: Verdict | null;
  readonly startedAtMs: number;
  readonly stepStartedAtMs: number;
  readonly reason: string | null;
}

export interface Asked {
  /** Which request of this rollout it was, from 1. */
  readonly ordinal: number;
  /** Step the approval was for. */
  readonly stepIndex: number;
  /** Approvals that counted since. */
  readonly given: number;
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
