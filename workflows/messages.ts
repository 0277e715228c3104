/** The public contract of the workflows: names, inputs, results, updates, queries, ids. Imports nothing that runs. */
import type { DataReport, Evaluation, GateResult } from '../domain/evaluation.ts';
import type { Algorithm } from '../domain/definition.ts';
import type { ApproverRole } from '../domain/approver-role.ts';
import type { SetKind } from '../domain/recovery/manifest.ts';
import type { Outcome } from '../domain/rollout/events.ts';
import type { PlanOverrides, Strategy } from '../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';

/** Trainings wait here for their turn: workers take one at a time from it, whatever else runs. */
export const trainingTaskQueue = (taskQueue: string): string => `${taskQueue}-training`;

export const WORKFLOWS = {
  train: 'trainModel',
  validate: 'validateModel',
  rollout: 'rolloutModel',
  rolloutGroup: 'rolloutGroup',
  backup: 'backupPlatform',
  verifyBackup: 'verifyBackup',
} as const;

export const SEARCH_ATTRIBUTES = {
  model: 'SluiceModel',
  version: 'SluiceVersion',
  strategy: 'SluiceStrategy',
  phase: 'SluicePhase',
} as const;

/** One running training and one running rollout per model, whoever starts it. */
export const trainWorkflowId = (model: string): string => `train/${model}`;
export const rolloutWorkflowId = (model: string): string => `rollout/${model}`;
/** One backup at a time, begun by hand or by the schedule, whose runs get the time appended. */
export const BACKUP_WORKFLOW_ID = 'backup';
export const BACKUP_SCHEDULE_ID = 'backup';
/** A verification reads one set in one target. */
export const verifyWorkflowId = (setId: string, target: string): string => `verify-backup/${setId}/${target}`;
/** A validation is of one version. */
export const validateWorkflowId = (model: string, version: number): string => `validate/${model}/${version}`;

/** `{"model":"churn"}` is enough. */
export interface TrainModelInput {
  readonly model: string;
  readonly seed?: number;
  readonly algorithms?: readonly Algorithm[];
  /** Start a rollout when the gates pass: `true` for the definition's strategy. Default false. */
  readonly rollout?: boolean | { readonly strategy: Strategy };
  /** Who asked; for the audit. Default `temporal`. */
  readonly requestedBy?: string;
}

export type TrainModelResult =
  | {
      readonly kind: 'accepted' | 'rejected';
      readonly model: string;
      readonly version: number;
      readonly algorithm: string;
      readonly artefactDigest: string;
      readonly evaluation: Evaluation;
      readonly gates: readonly GateResult[];
      /** Workflow id of the rollout, when one was started. */
      readonly rollout: string | null;
      /** Lines for a person: what training left out and why; why no rollout was started although one was asked for. */
      readonly notes?: readonly string[];
    }
  | { readonly kind: 'dataInvalid'; readonly model: string; readonly report: DataReport };

/** In order; `rollout` only when one was asked for. */
export const TRAIN_STAGES = ['starting', 'snapshot', 'check', 'train', 'register', 'gates', 'rollout', 'done'] as const;
export type TrainStage = (typeof TRAIN_STAGES)[number];

/** Answer of the query `status` of trainModel. */
export interface TrainStatus {
  readonly stage: TrainStage;
  /** Stages finished, of `total`. */
  readonly done: number;
  readonly total: number;
  /** One line for a person. */
  readonly message: string;
  /** Epoch ms. */
  readonly startedAtMs: number;
}

/**
 * Last heartbeat of the running training activity (`checkData`, `train`, `checkGates`): first element of
 * `pendingActivities[i].heartbeatDetails` of a describe. Finer than the query, which knows the stage alone.
 */
export interface TrainProgress {
  /** For example `cross-validation`, `fit`, `write onnx`. */
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  readonly message: string;
}

export interface ValidateModelInput {
  readonly model: string;
  readonly version: number;
}

export interface ValidateModelResult {
  readonly model: string;
  readonly version: number;
  readonly passed: boolean;
  readonly gates: readonly GateResult[];
}

/** `{"model":"churn","version":2,"strategy":"canary"}`; strategy and plan default to the definition's. */
export interface RolloutModelInput {
  readonly model: string;
  readonly version: number;
  readonly strategy?: Strategy;
  /** Replaces the definition's plan for this rollout; parts that are not given keep the definition's values. */
  readonly plan?: PlanOverrides;
  readonly requestedBy?: string;
  readonly reason?: string;
  /** Workflow id of the group it belongs to, whose members take their steps together. */
  readonly group?: string;
}

/** Answer of the query `status` of rolloutModel: `null` for the moment between the start and the opening. */
export type RolloutStatus = RolloutSnapshot | null;

export interface RolloutModelResult {
  readonly rolloutId: string;
  readonly model: string;
  readonly version: number;
  readonly outcome: Outcome;
  readonly reason: string;
}

export const ROLLOUT_COMMANDS = ['promote', 'pause', 'resume', 'freeze', 'skipBake', 'abort', 'rollback'] as const;
export type RolloutCommandName = (typeof ROLLOUT_COMMANDS)[number];

/** Argument of every rollout update; `{}` or nothing is enough in the Temporal UI. */
export interface RolloutCommandInput {
  readonly by?: string;
  readonly reason?: string;
  /** ISO 8601. A command handled later than this is rejected: its sender has given up. */
  readonly expiresAt?: string;
}

export interface RolloutCommandResult {
  readonly applied: RolloutCommandName;
  readonly status: RolloutSnapshot;
}

/** Update: somebody with a role agrees to the next step, or not. Answers `RolloutApprovalResult`. */
export const ROLLOUT_APPROVE_UPDATE = 'approve';

export interface RolloutApprovalInput {
  readonly by: string;
  readonly role: ApproverRole;
  /** `evidenceHash` of the snapshot that was looked at: refused when the evidence is another by now. */
  readonly evidenceHash: string;
  /** Default `approve`. */
  readonly decision?: 'approve' | 'reject';
  readonly reason?: string;
  /** ISO 8601; as for the commands. */
  readonly expiresAt?: string;
}

export interface RolloutApprovalResult {
  readonly applied: 'approve' | 'reject';
  readonly status: RolloutSnapshot;
}

/** Signal: roll back at once (an incident, an alert). Nobody waits for it, so it has no deadline. */
export const ROLLOUT_TRIGGER_SIGNAL = 'trigger';

export interface RolloutTriggerInput {
  /** For example `security`, `webhook`, `alert`. */
  readonly kind: string;
  readonly reason: string;
  readonly by: string;
}

/** Signal of a group to its member: it may take the steps up to this index. */
export const ROLLOUT_RELEASE_SIGNAL = 'release';
/** Signal of a member to its group: ready for a step. */
export const GROUP_READY_SIGNAL = 'memberReady';

export interface GroupMemberReady {
  readonly model: string;
  readonly step: number;
  /** The step is the end: the old version is taken out, and there is no way back any more. */
  readonly last: boolean;
}

/** Versions of several models that go together: each step waits for all, and one that goes back takes all back. */
export interface RolloutGroupInput {
  readonly group: string;
  readonly members: readonly RolloutModelInput[];
  readonly requestedBy?: string;
  readonly reason?: string;
}

export interface RolloutGroupResult {
  readonly group: string;
  readonly outcome: 'promoted' | 'rolledBack';
  readonly members: readonly (RolloutModelResult | { readonly model: string; readonly failure: string })[];
}

/** Answer of the query `status` of rolloutGroup. */
export interface RolloutGroupStatus {
  readonly group: string;
  readonly members: readonly {
    readonly model: string;
    readonly version: number;
    readonly workflowId: string;
    /** Step that the member is ready to take; `null` while it is not. */
    readonly readyForStep: number | null;
    readonly outcome: Outcome | 'failed' | null;
  }[];
  /** Highest step that all may take. */
  readonly releasedStep: number;
  readonly explanation: string;
}

export const ROLLOUT_STATUS_QUERY = 'status';
export const TRAIN_STATUS_QUERY = 'status';

/** `{}` is enough. */
export interface BackupPlatformInput {
  readonly requestedBy?: string;
  /** Names the set for people: before a migration, at the end of a quarter. */
  readonly label?: string;
}

export interface BackupPlatformResult {
  readonly setId: string;
  /** `logical`: rows of one moment, without log after it; the database allows this user no replication. */
  readonly setKind: SetKind;
  /** Packed and sealed, without artefacts. */
  readonly storedBytes: number;
  readonly targets: readonly BackupTargetResult[];
}

export interface VerifyBackupInput {
  readonly setId: string;
  /** Name of a configured target. */
  readonly target: string;
}

export interface VerifyBackupResult extends VerifyBackupInput {
  readonly bytesRead: number;
  /** Whether content was seen, and not only what lies in the target. */
  readonly contentChecked: boolean;
}

export interface BackupTargetResult {
  readonly target: string;
  readonly stored: boolean;
  /** Every byte was read back and is right. */
  readonly verified: boolean;
  readonly artefacts: number;
  readonly uploadedArtefacts: number;
  readonly removedSets: readonly string[];
  readonly problem: string | null;
}
