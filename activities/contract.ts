/** What workflows ask of activities: small JSON. Data, definitions and models travel by their digests. */
import type { Digest } from '../domain/artefacts.ts';
import type { Algorithm } from '../domain/definition.ts';
import type { DataReport, Evaluation, GateResult } from '../domain/evaluation.ts';
import type { RolloutNotice } from '../domain/rollout/notices.ts';
import type { CompletePlan, PlanOverrides, RolloutPlan, Strategy } from '../domain/rollout/plan.ts';
import type { Adoption, Hold, RolloutPhase, RolloutSnapshot } from '../domain/rollout/state.ts';
import type { Route } from '../domain/routing.ts';
import type { AliasesCommand, ObservedSums, RouteCommand, Trigger } from '../domain/rollout/events.ts';
import type { Verdict } from '../domain/verdict.ts';

export interface TrainingPlan {
  /** Of the definition as it is now: a change on the way does not reach this training. */
  readonly definitionDigest: Digest;
  readonly dataSource: string;
  readonly algorithms: readonly Algorithm[];
  readonly seed: number;
}

export interface TrainedCandidate {
  readonly algorithm: Algorithm;
  readonly parameters: Readonly<Record<string, string | number | boolean>>;
  readonly crossValidation: Readonly<Partial<Record<Algorithm, number>>>;
  readonly evaluation: Evaluation;
  readonly artefactDigest: Digest;
  readonly manifestDigest: Digest;
  readonly notes: readonly string[];
}

export interface TrainActivities {
  planTraining(input: {
    readonly model: string;
    readonly seed?: number;
    readonly algorithms?: readonly Algorithm[];
  }): Promise<TrainingPlan>;
  /** Copies the data into the artefact store, so that it stays what it was. */
  snapshotData(input: { readonly dataSource: string }): Promise<{ readonly digest: Digest; readonly bytes: number }>;
  checkData(input: { readonly definitionDigest: Digest; readonly dataDigest: Digest }): Promise<DataReport>;
  train(input: {
    readonly plan: TrainingPlan;
    readonly dataDigest: Digest;
    /** Names the work folder: a retry of the same run goes on where it was. */
    readonly runId: string;
  }): Promise<TrainedCandidate>;
  registerVersion(input: {
    readonly model: string;
    readonly plan: TrainingPlan;
    readonly dataDigest: Digest;
    readonly dataRows: number;
    readonly candidate: TrainedCandidate;
    readonly workflowId: string;
    readonly runId: string;
  }): Promise<{ readonly version: number }>;
  /** Writes the verdict of the gates, and clears the work folder of the run. */
  settleVersion(input: {
    readonly model: string;
    readonly version: number;
    readonly status: 'accepted' | 'rejected';
    readonly runId: string;
  }): Promise<void>;
}

export interface ValidateActivities {
  checkGates(input: {
    readonly model: string;
    readonly version: number;
    readonly runId: string;
  }): Promise<{ readonly passed: boolean; readonly gates: readonly GateResult[] }>;
}

export interface OpenRollout {
  readonly rolloutId: string;
  readonly workflowId: string;
  /** First run of the workflow: later runs continue it. */
  readonly runId: string;
  readonly model: string;
  readonly version: number;
  readonly strategy?: Strategy;
  readonly plan: PlanOverrides;
  readonly requestedBy: string;
  readonly reason?: string;
}

export interface OpenedRollout {
  /** `null`: nothing serves yet, and the version gets all traffic at once. */
  readonly champion: number | null;
  readonly previous: number | null;
  readonly plan: RolloutPlan;
  readonly generation: number;
  readonly routes: readonly Route[];
  /** Why the first step may not be taken now. */
  readonly hold?: Hold | null;
  /** Whether anybody is to be told what happens. */
  readonly listening?: boolean;
}

/** One look at a rollout. */
export interface Look {
  readonly observation: ObservedSums;
  readonly verdict: Verdict;
  readonly hold?: Hold | null;
  /** Calls from outside that the candidate must go, raised since the rollout began. */
  readonly triggers?: readonly Trigger[];
  readonly adoption?: Adoption | null;
  readonly listening?: boolean;
}

export interface RolloutActivities {
  openRollout(input: OpenRollout): Promise<OpenedRollout>;
  /** Compare-and-set of the routing; the same change again is a success. Fails with `conflict` when another writer came first. */
  applyRouting(input: {
    readonly model: string;
    readonly rolloutId: string;
    readonly salt: string;
    readonly slowMs: number;
    readonly change: RouteCommand;
  }): Promise<{ readonly generation: number }>;
  setAliases(input: {
    readonly model: string;
    readonly rolloutId: string;
    readonly change: AliasesCommand;
  }): Promise<void>;
  /**
   * Reads the counters, judges them, and records the look (once per `lookAtMs`). The verdict is part of the history: a
   * later, better judge does not change what an earlier look decided. Also what holds the next step up.
   */
  observe(input: {
    readonly rolloutId: string;
    readonly model: string;
    readonly sinceMs: number;
    readonly lookAtMs: number;
    readonly plan: CompletePlan;
    readonly stepIndex: number;
    readonly phase: RolloutPhase;
    readonly generation: number;
    readonly routes: readonly Route[];
  }): Promise<Look>;
  /**
   * Waits until every serving process follows the generation, or the time is over; an answer either way.
   * `waitingFor`: instances that do not yet.
   */
  awaitAdoption(input: {
    readonly model: string;
    readonly generation: number;
    readonly timeoutMs: number;
  }): Promise<Adoption>;
  /** Whether every serving process has the version loaded and proven. */
  probeWarm(input: {
    readonly model: string;
    readonly version: number;
  }): Promise<{ readonly warm: boolean; readonly waitingFor: readonly string[] }>;
  /** The version may not be rolled out until a person releases it. Again is a success. */
  quarantine(input: {
    readonly model: string;
    readonly version: number;
    readonly by: string;
    readonly reason: string;
  }): Promise<void>;
  /** Tells the webhooks; tried again until each has heard it or its attempts are used up. */
  notify(notice: RolloutNotice): Promise<void>;
  saveProgress(input: { readonly rolloutId: string; readonly snapshot: RolloutSnapshot }): Promise<void>;
  closeRollout(input: {
    readonly rolloutId: string;
    readonly snapshot: RolloutSnapshot;
    readonly reason: string;
  }): Promise<void>;
}

export type Activities = TrainActivities & ValidateActivities & RolloutActivities;
