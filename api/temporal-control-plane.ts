import {
  WorkflowExecutionAlreadyStartedError,
  WorkflowNotFoundError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import type { Client, WorkflowExecutionDescription } from '@temporalio/client';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import { DomainError } from '../domain/errors.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import {
  ROLLOUT_APPROVE_UPDATE,
  ROLLOUT_STATUS_QUERY,
  ROLLOUT_TRIGGER_SIGNAL,
  rolloutWorkflowId,
  TRAIN_STATUS_QUERY,
  trainWorkflowId,
  WORKFLOWS,
} from '../workflows/messages.ts';
import type {
  RolloutCommandInput,
  RolloutCommandResult,
  TrainModelResult,
  TrainProgress,
  TrainStatus,
} from '../workflows/messages.ts';
import type { CommandOutcome, ControlPlane, StartedWorkflow, TrainingState } from './control-plane.ts';
import { backupControl } from './temporal-backups.ts';
import { withTimeLimit } from './time-limit.ts';
import { lastHeartbeat } from './temporal-heartbeat.ts';
import { explainFailure, toDomainError } from './temporal-failures.ts';

/** Starts and descriptions take milliseconds; a caller should not wait longer to hear that Temporal is away. */
const CALL_TIMEOUT_MS = 3_000;
/** Queries need a worker; without one the rest of a status is still worth an answer. */
const QUERY_TIMEOUT_MS = 2_000;
/** How long an operator's command may wait for a worker before it expires. */
const COMMAND_TIMEOUT_MS = 10_000;
/** The answer to a command taken at the last moment still travels; after this nothing of it is expected. */
const COMMAND_GRACE_MS = 500;
export interface TemporalControlPlaneOptions {
  readonly temporal: TemporalClient;
  readonly taskQueue: string;
  readonly now: () => number;
}

const noAnswer = (): DomainError => new DomainError('unavailable', 'Temporal does not answer; asking again is safe');

/** The client's deadline, and a bound on the whole: its retries pause past the deadline. */
function createCalls(temporal: TemporalClient) {
  return <T>(timeoutMs: number, work: (client: Client) => Promise<T>): Promise<T> =>
    withTimeLimit(temporal.call(work, timeoutMs), timeoutMs, noAnswer);
}

type Call = ReturnType<typeof createCalls>;

/** Connects with the first call and not before: the API starts, and predicts, without Temporal. */
export function createTemporalControlPlane({ temporal, taskQueue, now }: TemporalControlPlaneOptions): ControlPlane {
  const call = createCalls(temporal);
  const start = async (name: string, workflowId: string, input: object): Promise<StartedWorkflow> => {
    try {
      const handle = await call(CALL_TIMEOUT_MS, (client) =>
        client.workflow.start(name, { workflowId, taskQueue, args: [input] }),
      );
      return { workflowId, runId: handle.firstExecutionRunId };
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) throw await alreadyRunning(workflowId);
      throw toDomainError(error);
    }
  };

  const alreadyRunning = async (workflowId: string): Promise<DomainError> => {
    const run = await call(CALL_TIMEOUT_MS, (client) => client.workflow.getHandle(workflowId).describe()).catch(
      () => null,
    );
    const since = run === null ? '' : ` since ${run.startTime.toISOString()} (run ${run.runId})`;
    return new DomainError('conflict', `${workflowId} is running${since}; one at a time`);
  };

  const query = async <T>(workflowId: string, name: string): Promise<T | null> => {
    try {
      return await call(QUERY_TIMEOUT_MS, (client) => client.workflow.getHandle(workflowId).query<T>(name));
    } catch {
      // No worker, or a run that failed before its first task: the description says the rest.
      return null;
    }
  };

  const ping = async (): Promise<void> => {
    await withTimeLimit(temporal.ping(), CALL_TIMEOUT_MS, noAnswer);
  };

  const order = async (model: string, update: string, input: object): Promise<CommandOutcome> => {
    // Tells a Temporal that is away (heard at once) from a worker that is (heard at the deadline).
    await ping();
    const expiresAt = now() + COMMAND_TIMEOUT_MS;
    const argument = { ...input, expiresAt: new Date(expiresAt).toISOString() };
    const send = () => sendUpdate(temporal.client, rolloutWorkflowId(model), update, argument);
    return temporal.connection.withDeadline(expiresAt + COMMAND_GRACE_MS, send);
  };

  return {
    startTraining: (input) => start(WORKFLOWS.train, trainWorkflowId(input.model), input),
    startRollout: (input) => start(WORKFLOWS.rollout, rolloutWorkflowId(input.model), input),
    trainingStatus: (model) => readTraining(call, query, trainWorkflowId(model)),
    rolloutCommand: order,
    approveRollout: (model, input) => order(model, ROLLOUT_APPROVE_UPDATE, input),
    triggerRollout: async (model, trigger) => {
      try {
        await call(CALL_TIMEOUT_MS, (client) =>
          client.workflow.getHandle(rolloutWorkflowId(model)).signal(ROLLOUT_TRIGGER_SIGNAL, trigger),
        );
        return true;
      } catch (error) {
        if (error instanceof WorkflowNotFoundError) return false;
        throw toDomainError(error);
      }
    },
    rolloutStatus: (model) => query<RolloutSnapshot>(rolloutWorkflowId(model), ROLLOUT_STATUS_QUERY),
    ...backupControl((work) => call(CALL_TIMEOUT_MS, work), taskQueue),
    check: ping,
  };
}

async function sendUpdate(
  client: Client,
  workflowId: string,
  update: string,
  argument: Pick<RolloutCommandInput, 'expiresAt'>,
): Promise<CommandOutcome> {
  try {
    const result = await client.workflow
      .getHandle(workflowId)
      .executeUpdate<Pick<RolloutCommandResult, 'status'>, [object]>(update, { args: [argument] });
    return { kind: 'applied', status: result.status };
  } catch (error) {
    if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return { kind: 'expired' };
    if (error instanceof WorkflowNotFoundError) return { kind: 'notRunning' };
    throw toDomainError(error);
  }
}

async function readTraining(
  call: Call,
  query: (workflowId: string, name: string) => Promise<TrainStatus | null>,
  workflowId: string,
): Promise<TrainingState> {
  const nothing = { workflowId, runId: null, progress: null, result: null, failure: null };
  try {
    const run = await call(CALL_TIMEOUT_MS, (client) => client.workflow.getHandle(workflowId).describe());
    const known = { ...nothing, runId: run.runId };
    if (run.closeTime === undefined) {
      const status = await query(workflowId, TRAIN_STATUS_QUERY);
      const progress = status === null ? null : { ...status, detail: lastProgress(run) };
      return { ...known, status: 'running', progress };
    }
    try {
      const result = await call(CALL_TIMEOUT_MS, (client) =>
        client.workflow.result<() => Promise<TrainModelResult>>(workflowId),
      );
      return { ...known, status: 'completed', result };
    } catch (error) {
      const failure = explainFailure(error);
      if (failure === null) throw error;
      return { ...known, status: 'failed', failure };
    }
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return { ...nothing, status: 'none' };
    throw toDomainError(error);
  }
}

function lastProgress(run: WorkflowExecutionDescription): TrainProgress | null {
  const { stage, done, total, message } = lastHeartbeat<TrainProgress>(run) ?? {};
  if (stage === undefined || done === undefined || total === undefined || message === undefined) return null;
  return { stage, done, total, message };
}
