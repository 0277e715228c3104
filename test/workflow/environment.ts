import { fileURLToPath } from 'node:url';
import proto from '@temporalio/proto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import {
  bundleWorkflowCode,
  DefaultLogger,
  Runtime,
  Worker,
  type WorkerOptions,
  type WorkflowBundleWithSourceMap,
} from '@temporalio/worker';
import type { Activities } from '../../activities/contract.ts';
import { SEARCH_ATTRIBUTE_TYPES } from '../../infra/embedded/search-attributes.ts';
import { trainingTaskQueue } from '../../workflows/messages.ts';
import { timeSkippingServerPath } from '../setup/temporal-binaries.ts';

const { INDEXED_VALUE_TYPE_INT: Int, INDEXED_VALUE_TYPE_KEYWORD: Keyword } =
  proto.temporal.api.enums.v1.IndexedValueType;
const INDEXED = { Int, Keyword };
const workflowsPath = fileURLToPath(new URL('../../workflows/index.ts', import.meta.url));

export interface WorkflowEnvironment {
  readonly env: TestWorkflowEnvironment;
  readonly bundle: WorkflowBundleWithSourceMap;
}

/** A time-skipping Temporal and the bundled workflows; one per test file. */
export async function startEnvironment(bundle?: WorkflowEnvironment['bundle']): Promise<WorkflowEnvironment> {
  quiet();
  const path = await timeSkippingServerPath();
  const env = await TestWorkflowEnvironment.createTimeSkipping({
    server: { executable: { type: 'existing-path', path } },
  });
  // The time-skipping server cannot list what it has, as the platform asks of a real one.
  await env.connection.operatorService.addSearchAttributes({
    namespace: 'default',
    searchAttributes: Object.fromEntries(
      Object.entries(SEARCH_ATTRIBUTE_TYPES).map(([name, type]) => [name, INDEXED[type]]),
    ),
  });
  return { env, bundle: bundle ?? (await bundleWorkflows()) };
}

/** An hour passes in no time while nothing holds the clock. */
const SKIP_MS = 3_600_000;
const SKIP_LIMIT_MS = 5_000;

/**
 * Whether its clock still skips. The server counts whatever waits for a worker, and a task that was on its way when a
 * worker ended is counted for ever: all that comes after it would pass in real time.
 */
export async function skipsTime({ env }: WorkflowEnvironment): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), SKIP_LIMIT_MS);
  });
  const slept = env.sleep(SKIP_MS).then(
    () => true,
    () => false,
  );
  return Promise.race([slept, late]).finally(() => clearTimeout(timer));
}

export function bundleWorkflows(): Promise<WorkflowBundleWithSourceMap> {
  return bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
}

let installed = false;

/** Failures on purpose are not worth a page of log each. */
export function quiet(): void {
  if (!installed) {
    Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  }
  installed = true;
}

/** Runs `work` while a worker with these activities polls the queue. */
export async function withWorker<T>(
  { env, bundle }: WorkflowEnvironment,
  taskQueue: string,
  activities: Partial<Activities>,
  work: () => Promise<T>,
): Promise<T> {
  const worker = await createTestWorker({ env, bundle }, taskQueue, activities);
  const trainer = await createTestWorker({ env, bundle }, trainingTaskQueue(taskQueue), activities);
  return worker.runUntil(() => trainer.runUntil(work));
}

export function createTestWorker(
  { env, bundle }: WorkflowEnvironment,
  taskQueue: string,
  activities: Partial<Activities>,
  options: Partial<WorkerOptions> = {},
): Promise<Worker> {
  return Worker.create({
    connection: env.nativeConnection,
    workflowBundle: bundle,
    taskQueue,
    activities,
    shutdownGraceTime: 0,
    ...options,
  });
}
