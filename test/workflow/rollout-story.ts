import { randomUUID } from 'node:crypto';
import {
  WorkflowFailedError,
  WorkflowUpdateFailedError,
  type WorkflowHandleWithFirstExecutionRunId,
} from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import type {
  RolloutApprovalInput,
  RolloutApprovalResult,
  RolloutCommandInput,
  RolloutCommandName,
  RolloutCommandResult,
  RolloutModelResult,
  RolloutStatus,
} from '../../workflows/messages.ts';
import type { rolloutModel } from '../../workflows/rollout-model.ts';
import { skipsTime, startEnvironment, withWorker, type WorkflowEnvironment } from './environment.ts';
import { createFakeRollout, type FakeOptions } from './fake-rollout.ts';

export const MINUTE_MS = 60_000;
/** The looks come at whole minutes: orders come between them, so that none cancels a look of the skipped time. */
export const HALF_MS = 30_000;
export type Handle = WorkflowHandleWithFirstExecutionRunId<typeof rolloutModel>;
export type Fake = ReturnType<typeof createFakeRollout>;
export const CHAMPION_ALONE = [{ variant: 'champion', version: 1, weightPercent: 100 }];

/** The sentences rollout tests are told in; call once per test file. */
export function rolloutStories() {
  let environment: WorkflowEnvironment;
  const started: WorkflowEnvironment[] = [];
  const begin = async (bundle?: WorkflowEnvironment['bundle']): Promise<void> => {
    environment = await startEnvironment(bundle);
    started.push(environment);
  };
  beforeAll(() => begin());
  // No story suffers from what another one has left behind.
  beforeEach(async () => {
    if (!(await skipsTime(environment))) await begin(environment.bundle);
  });
  afterAll(async () => {
    await Promise.all(started.map(({ env }) => env.teardown()));
  });
  const start = (taskQueue: string, args: readonly unknown[]): Promise<Handle> =>
    environment.env.client.workflow.start<typeof rolloutModel>('rolloutModel', {
      workflowId: `rollout/${taskQueue}`,
      taskQueue,
      args: [...args] as Parameters<typeof rolloutModel>,
    });
  return {
    environment: () => environment,
    start,
    sleep: (ms: number) => environment.env.sleep(ms),
    /** Starts a rollout against a fake registry and runs `story` beside it. */
    given: async <T>(
      options: FakeOptions,
      story: (handle: Handle, fake: Fake) => Promise<T>,
      args: readonly unknown[] = [{ model: 'prices', version: 2 }],
    ): Promise<{ fake: Fake; value: T }> => {
      const fake = createFakeRollout(options);
      const taskQueue = randomUUID();
      const value = await withWorker(environment, taskQueue, fake.activities, async () => {
        const handle = await start(taskQueue, args);
        const told = await story(handle, fake);
        if (options.listening === true) await noticesSent(handle);
        return told;
      });
      return { fake, value };
    },
  };
}

/**
 * Waits for the notices, which outlive the rollout. One whose worker has gone would hold the time-skipping server's clock
 * for every story after it: the server does not skip while an activity waits to be taken.
 */
async function noticesSent({ client, workflowId }: Handle): Promise<void> {
  const { events } = await client.getHandle(workflowId).fetchHistory();
  for (const event of events ?? []) {
    const child = event.startChildWorkflowExecutionInitiatedEventAttributes?.workflowId;
    // One at a time: each wait unlocks the clock, and the server counts no more than one of them.
    if (child != null) await client.getHandle(child).result();
  }
}

export const result = (handle: Handle): Promise<RolloutModelResult> => handle.result();
export const status = (handle: Handle): Promise<RolloutStatus> => handle.query<RolloutStatus>('status');

/** Never beside a sleep: the time-skipping server loses the task of an update that comes while it skips. */
export function order(handle: Handle, name: RolloutCommandName, input: RolloutCommandInput = {}) {
  return handle.executeUpdate<RolloutCommandResult, [RolloutCommandInput]>(name, { args: [input] });
}

/** Approves as security what is shown now, where `change` does not say otherwise. */
export async function approve(handle: Handle, change: Partial<RolloutApprovalInput>) {
  const { evidenceHash = '' } = (await status(handle)) ?? {};
  const input: RolloutApprovalInput = { by: 'somebody', role: 'security', evidenceHash, ...change };
  return handle.executeUpdate<RolloutApprovalResult, [RolloutApprovalInput]>('approve', { args: [input] });
}

export async function refusalOf(promise: Promise<unknown>): Promise<ApplicationFailure> {
  const error = await rejection(promise);
  expect(error).toBeInstanceOf(WorkflowUpdateFailedError);
  return (error as WorkflowUpdateFailedError).cause as ApplicationFailure;
}

export async function failureOf(handle: Handle): Promise<ApplicationFailure> {
  const error = await rejection(handle.result());
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause as ApplicationFailure;
}

function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => new Error('it was not rejected'),
    (error: unknown) => error,
  );
}
