import { Worker, type NativeConnection, type WorkflowBundleOption } from '@temporalio/worker';
import type { Activities } from '../activities/contract.ts';
import { trainingTaskQueue } from '../workflows/messages.ts';

/** One cached workflow is some hundred kB outside the heap limit; more than this replay when they wake. */
const CACHED_WORKFLOWS_MAX = 200;
const WORKFLOW_TASKS_MAX = 20;
/** Short questions to the registry, and child processes for checks and gates. */
const ACTIVITIES_MAX = 10;
/** A training uses the machine: the next one waits on its task queue. */
const TRAININGS_MAX = 1;
/** A shutdown tells the activities after this; what is short has ended by then. */
const SHUTDOWN_GRACE = '1s';
/** Under the supervisor's patience of 20 s. */
const SHUTDOWN_FORCE = '12s';
/** How fresh the progress in a description of the workflow is. */
const HEARTBEAT_THROTTLE = '1s';

export interface WorkersOptions {
  readonly connection: NativeConnection;
  readonly namespace: string;
  readonly taskQueue: string;
  readonly workflowBundle: WorkflowBundleOption;
  readonly activities: Activities;
}

/** The worker of everything, and one beside it that takes trainings one at a time. */
export async function createWorkers(options: WorkersOptions): Promise<readonly Worker[]> {
  const { connection, namespace, taskQueue, workflowBundle, activities } = options;
  const shared = {
    connection,
    namespace,
    shutdownGraceTime: SHUTDOWN_GRACE,
    shutdownForceTime: SHUTDOWN_FORCE,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE,
  };
  return Promise.all([
    Worker.create({
      ...shared,
      taskQueue,
      workflowBundle,
      activities,
      maxCachedWorkflows: CACHED_WORKFLOWS_MAX,
      maxConcurrentWorkflowTaskExecutions: WORKFLOW_TASKS_MAX,
      maxConcurrentActivityTaskExecutions: ACTIVITIES_MAX,
    }),
    Worker.create({
      ...shared,
      taskQueue: trainingTaskQueue(taskQueue),
      activities: { train: (input: Parameters<Activities['train']>[0]) => activities.train(input) },
      maxConcurrentActivityTaskExecutions: TRAININGS_MAX,
    }),
  ]);
}

/** Runs them until one is told to stop or fails; then all stop. */
export async function runWorkers(workers: readonly Worker[]): Promise<void> {
  const running = workers.map((worker) => worker.run());
  try {
    await Promise.race(running);
  } finally {
    stopWorkers(workers);
    await Promise.allSettled(running);
  }
  await Promise.all(running);
}

export function stopWorkers(workers: readonly Worker[]): void {
  for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
}
