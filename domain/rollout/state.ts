import type { Evidence, Verdict } from '../verdict.ts';
import type { Route } from '../routing.ts';
import type { ApproverRole } from '../approver-role.ts';
import type { ApprovalRule, RolloutPlan } from './plan.ts';

/**
 * `running` covers everything between the first routing change and the end; `keepWarm` follows 100 %. `paused` takes
 * no step but may roll back; `frozen` does nothing by itself. `concluded`: ended with an answer (a shadow's verdict, an
 * undecided A/B test) and the champion serving.
 */
export const ROLLOUT_PHASES = [
  'starting',
  'running',
  'paused',
  'frozen',
  'keepWarm',
  'rollingBack',
  'promoted',
  'rolledBack',
  'aborted',
  'concluded',
] as const;
export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

/** Why no step is taken although everything else is ready. */
export interface Hold {
  readonly kind: 'stopTheLine' | 'calendar';
  readonly reason: string;
  /** Epoch ms; `null`: until a person says so. */
  readonly untilMs: number | null;
}

export interface Approval {
  readonly role: ApproverRole;
  readonly by: string;
  readonly decision: 'approve' | 'reject';
  readonly reason: string;
  /** Of the evidence that was reviewed; another one voids the approval. */
  readonly evidenceHash: string;
  readonly atMs: number;
}

/** The approvals that the next step needs, and those it has. */
export interface ApprovalsShown {
  /** Index of the step they are for. */
  readonly stepIndex: number;
  readonly rules: readonly (ApprovalRule & {
    /** Names of those whose approval counts now. */
    readonly approvedBy: readonly string[];
    readonly satisfied: boolean;
  })[];
  readonly satisfied: boolean;
}

export const NEXT_ACTIONS = ['step', 'promote', 'finish', 'conclude', 'end', 'person', 'none'] as const;

/** What happens when the wait is over. */
export interface NextAction {
  readonly action: (typeof NEXT_ACTIONS)[number];
  /** Of the candidate, after the action; `null` where it stays. */
  readonly weightPercent: number | null;
  /** Earliest, epoch ms; `null` where it waits for something else than time. */
  readonly atMs: number | null;
}

/** Evidence against the candidate, and of its health, each with the threshold it must reach. */
export interface EValueShown {
  readonly metric: Evidence['metric'];
  readonly event?: string;
  readonly eValue: number;
  readonly threshold: number;
  readonly healthEValue?: number;
  readonly status?: 'breached' | 'healthy' | 'open';
}

/** What queries, lists and the API show of a rollout. */
export interface RolloutSnapshot {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly plan: RolloutPlan;
  readonly phase: RolloutPhase;
  /** Index into `plan.steps`. */
  readonly stepIndex: number;
  readonly weightPercent: number;
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly verdict: Verdict | null;
  /** In words: what is happening, what it waits for, what comes next. */
  readonly explanation: { readonly now: string; readonly waitsFor: string; readonly next: string };
  /** Epoch ms. */
  readonly startedAtMs: number;
  readonly stepStartedAtMs: number;
  /** Earliest end of the current wait, epoch ms; `null` when it waits for a person. */
  readonly stepEndsAtMs: number | null;
  readonly reason: string | null;
  // Absent in rows of rollouts that ran before these were shown.
  /** Of the evidence shown: what an approval names. */
  readonly evidenceHash?: string;
  readonly approvals?: ApprovalsShown | null;
  readonly hold?: Hold | null;
  readonly eValues?: readonly EValueShown[];
  /** Requests counted since the rollout began. */
  readonly samples?: RolloutSamples;
  readonly next?: NextAction;
  /** API processes that do not follow the current generation yet. */
  readonly adoption?: Adoption | null;
}

export interface RolloutSamples {
  readonly candidate: number;
  readonly baseline: number;
  /** The champion's, without the baseline. */
  readonly champion: number;
  /** Requests answered by the champion and copied to the shadow. */
  readonly shadowPairs: number;
  /** Of the candidate (or pairs) in the current step, and how many the step takes at least. */
  readonly step: number;
  readonly stepMin: number;
}

/** Whether every serving process follows a generation. */
export interface Adoption {
  readonly generation: number;
  readonly adopted: boolean;
  /** Instances that do not yet, at most a few. */
  readonly waitingFor: readonly string[];
}
