/** What the routes ask of the durable side; implemented on Temporal by `temporal-control-plane.ts`. */
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import type { RecoveryDrillInput } from '../workflows/restore-messages.ts';
import type {
  BackupPlatformInput,
  RolloutApprovalInput,
  RolloutCommandName,
  RolloutModelInput,
  RolloutTriggerInput,
  TrainModelInput,
  TrainModelResult,
  TrainProgress,
  TrainStatus,
  VerifyBackupInput,
} from '../workflows/messages.ts';

export interface StartedWorkflow {
  readonly workflowId: string;
  readonly runId: string;
}

export interface TrainingState {
  readonly workflowId: string;
  /** `null` when no training of the model is known. */
  readonly runId: string | null;
  readonly status: 'running' | 'completed' | 'failed' | 'none';
  /** While running and a worker answers; `detail` is the last heartbeat of the running step. */
  readonly progress: (TrainStatus & { readonly detail: TrainProgress | null }) | null;
  readonly result: TrainModelResult | null;
  /** One sentence for a person. */
  readonly failure: string | null;
}

export type CommandOutcome =
  | { readonly kind: 'applied'; readonly status: RolloutSnapshot }
  /** Nobody took it in time; it will not be applied later either. */
  | { readonly kind: 'expired' }
  | { readonly kind: 'notRunning' };

export interface BackupVerification {
  readonly workflowId: string;
  readonly runId: string | null;
  readonly status: 'running' | 'completed' | 'failed' | 'none';
  /** What is wrong with the set, or why it could not be read. */
  readonly failure: string | null;
}

/** Everything rejects with `DomainError('unavailable')` when Temporal does not answer in time. */
export interface ControlPlane {
  /** @throws DomainError `conflict` naming the training that runs */
  startTraining(input: TrainModelInput): Promise<StartedWorkflow>;
  trainingStatus(model: string): Promise<TrainingState>;
  /** @throws DomainError `conflict` naming the rollout that runs */
  startRollout(input: RolloutModelInput): Promise<StartedWorkflow>;
  /**
   * Sends an operator's command with a deadline.
   * @throws DomainError with the validator's code and message when the workflow refuses it
   */
  rolloutCommand(
    model: string,
    command: RolloutCommandName,
    input: { readonly by: string; readonly reason?: string },
  ): Promise<CommandOutcome>;
  /** The same for somebody's agreement to the next step, or against it. */
  approveRollout(model: string, input: Omit<RolloutApprovalInput, 'expiresAt'>): Promise<CommandOutcome>;
  /** Tells an open rollout to go back at once, without waiting for its answer. False when none runs. */
  triggerRollout(model: string, trigger: RolloutTriggerInput): Promise<boolean>;
  /** As the workflow sees it now; `null` when none runs or no worker answers. */
  rolloutStatus(model: string): Promise<RolloutSnapshot | null>;
  /** @throws DomainError `conflict` naming the backup that runs */
  startBackup(input: BackupPlatformInput): Promise<StartedWorkflow>;
  /** One that runs already is joined. */
  startVerification(input: VerifyBackupInput): Promise<StartedWorkflow>;
  verification(input: VerifyBackupInput): Promise<BackupVerification>;
  /** Of the named target, or of the first one. @throws DomainError `conflict` while one runs */
  startDrill(input: RecoveryDrillInput): Promise<StartedWorkflow>;
  /** Resolves when Temporal answers. */
  check(): Promise<void>;
}
