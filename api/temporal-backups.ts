/** Backups and drills as workflows: what the API and the command line start, and how a verification stands. */
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError } from '@temporalio/client';
import type { Client, WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { DomainError } from '../domain/errors.ts';
import {
  BACKUP_WORKFLOW_ID,
  verifyWorkflowId,
  WORKFLOWS,
  type BackupPlatformInput,
  type BackupPlatformResult,
  type VerifyBackupInput,
  type VerifyBackupResult,
} from '../workflows/messages.ts';
import {
  DRILL_WORKFLOW_ID,
  RESTORE_WORKFLOWS,
  type RecoveryDrillInput,
  type RecoveryDrillResult,
} from '../workflows/restore-messages.ts';
import type { BackupVerification, ControlPlane } from './control-plane.ts';
import { explainFailure, toDomainError } from './temporal-failures.ts';

const RUNNING = `WorkflowType = '${WORKFLOWS.backup}' AND ExecutionStatus = 'Running'`;

/** The part of the control plane that is about backups. */
export function backupControl(
  call: <T>(work: (client: Client) => Promise<T>) => Promise<T>,
  taskQueue: string,
): Pick<ControlPlane, 'startBackup' | 'startVerification' | 'verification' | 'startDrill'> {
  const asked = <T>(work: (client: Client) => Promise<T>): Promise<T> =>
    call(work).catch((error: unknown) => {
      throw toDomainError(error);
    });
  const started = ({ workflowId, firstExecutionRunId }: WorkflowHandleWithFirstExecutionRunId) => ({
    workflowId,
    runId: firstExecutionRunId,
  });
  return {
    startBackup: (input) => asked(async (client) => started(await startBackup(client, taskQueue, input))),
    startVerification: (input) => asked(async (client) => started(await startVerification(client, taskQueue, input))),
    verification: (input) => asked((client) => readVerification(client, input)),
    startDrill: (input) => asked(async (client) => started(await startDrill(client, taskQueue, input))),
  };
}

/**
 * Starts a backup. One at a time: those of the schedule have ids of their own, and are looked for.
 * @throws DomainError `conflict` naming the one that runs
 */
export async function startBackup(client: Client, taskQueue: string, input: BackupPlatformInput) {
  for await (const { workflowId, startTime } of client.workflow.list({ query: RUNNING }))
    throw alreadyRunning(workflowId, startTime);
  try {
    return await client.workflow.start<(input: BackupPlatformInput) => Promise<BackupPlatformResult>>(
      WORKFLOWS.backup,
      {
        workflowId: BACKUP_WORKFLOW_ID,
        taskQueue,
        args: [input],
      },
    );
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw alreadyRunning(BACKUP_WORKFLOW_ID, null);
    throw error;
  }
}

function alreadyRunning(workflowId: string, since: Date | null): DomainError {
  const when = since === null ? '' : ` since ${since.toISOString()}`;
  return new DomainError('conflict', `A backup is running${when} (${workflowId}); one at a time`);
}

/**
 * Starts a drill. One at a time, whoever began it.
 * @throws DomainError `conflict` while one runs
 */
export async function startDrill(client: Client, taskQueue: string, input: RecoveryDrillInput) {
  try {
    return await client.workflow.start<(input: RecoveryDrillInput) => Promise<RecoveryDrillResult>>(
      RESTORE_WORKFLOWS.drill,
      { workflowId: DRILL_WORKFLOW_ID, taskQueue, args: [input] },
    );
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new DomainError('conflict', `A drill is running (${DRILL_WORKFLOW_ID}); one at a time`);
  }
}

/** Starts the verification of a set in one target; one that runs is joined. */
function startVerification(client: Client, taskQueue: string, input: VerifyBackupInput) {
  return client.workflow.start<(input: VerifyBackupInput) => Promise<VerifyBackupResult>>(WORKFLOWS.verifyBackup, {
    workflowId: verifyWorkflowId(input.setId, input.target),
    taskQueue,
    workflowIdConflictPolicy: 'USE_EXISTING',
    args: [input],
  });
}

/** How the newest verification of a set in a target went; `none`: none is known. */
async function readVerification(client: Client, input: VerifyBackupInput): Promise<BackupVerification> {
  const workflowId = verifyWorkflowId(input.setId, input.target);
  const nothing = { workflowId, runId: null, failure: null };
  try {
    const run = await client.workflow.getHandle(workflowId).describe();
    const known = { ...nothing, runId: run.runId };
    if (run.closeTime === undefined) return { ...known, status: 'running' };
    try {
      await client.workflow.result(workflowId);
      return { ...known, status: 'completed' };
    } catch (error) {
      const failure = explainFailure(error);
      if (failure === null) throw error;
      return { ...known, status: 'failed', failure };
    }
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { ...nothing, status: 'none' };
    throw error;
  }
}
