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

type Work<I, R> = (input: I) => Promise<R>;

/**
 * Starts a backup.
 * @throws DomainError `conflict` naming the one that runs
 */
export function startBackup(client: Client, taskQueue: string, input: BackupPlatformInput) {
  const backup = { what: 'backup', type: WORKFLOWS.backup, workflowId: BACKUP_WORKFLOW_ID } as const;
  return startAlone<BackupPlatformInput, BackupPlatformResult>(client, taskQueue, backup, input);
}

/**
 * Starts a drill. A second one would take the first one's folder for that of a killed drill.
 * @throws DomainError `conflict` naming the one that runs
 */
export function startDrill(client: Client, taskQueue: string, input: RecoveryDrillInput) {
  const drill = { what: 'drill', type: RESTORE_WORKFLOWS.drill, workflowId: DRILL_WORKFLOW_ID } as const;
  return startAlone<RecoveryDrillInput, RecoveryDrillResult>(client, taskQueue, drill, input);
}

interface Alone {
  readonly what: string;
  readonly type: string;
  readonly workflowId: string;
}

/** One at a time: those of the schedule have ids of their own, and are looked for. */
async function startAlone<I, R>(client: Client, taskQueue: string, { what, type, workflowId }: Alone, input: I) {
  const query = `WorkflowType = '${type}' AND ExecutionStatus = 'Running'`;
  for await (const running of client.workflow.list({ query }))
    throw alreadyRunning(what, running.workflowId, running.startTime);
  try {
    return await client.workflow.start<Work<I, R>>(type, { workflowId, taskQueue, args: [input] });
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) throw alreadyRunning(what, workflowId, null);
    throw error;
  }
}

function alreadyRunning(what: string, workflowId: string, since: Date | null): DomainError {
  const when = since === null ? '' : ` since ${since.toISOString()}`;
  return new DomainError('conflict', `A ${what} is running${when} (${workflowId}); one at a time`);
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
