import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRestoreActivities, type RestoreDeps } from '../../activities/restore-activities.ts';
import type { Activities } from '../../activities/contract.ts';
import { postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import { markRestored, stagedDataDir } from '../../infra/embedded/restored-data.ts';
import { RESTORE_CONFIRMATION, RESTORE_WORKFLOWS } from '../../workflows/restore-messages.ts';
import { startEnvironment, withWorker, type WorkflowEnvironment } from './environment.ts';

const EPOCH = 7;
const OUTLOOK = { target: 'near', setId: 'set', timeline: 1, newestAt: '2026-01-01T00:00:00.000Z', windows: [] };
const REPORT = { setId: 'set', reachedLsn: '0/1', epoch: { epoch: EPOCH + 1, rollouts: [], models: [] } };

let environment: WorkflowEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
});
afterAll(async () => {
  await environment.env.teardown();
});

/** Activities that write down what they are asked for; one of them does something else. */
function createFake(own: Readonly<Record<string, () => unknown>>) {
  const calls: string[] = [];
  const answers = { previewRestore: OUTLOOK, fencePlatform: { epoch: EPOCH }, stageRestore: REPORT, takeOver: {} };
  const activities = Object.fromEntries(
    Object.entries({ ...answers, liftFence: null }).map(([name, answer]) => [
      name,
      async (input: { epoch?: number }) => {
        calls.push(name === 'liftFence' ? `${name} of ${String(input.epoch)}` : name);
        return (await own[name]?.()) ?? answer;
      },
    ]),
  );
  return { calls, activities: activities as unknown as Partial<Activities> };
}

async function given(
  { activities }: ReturnType<typeof createFake>,
  story: (handle: WorkflowHandle) => Promise<void> = () => Promise.resolve(),
): Promise<Error | undefined> {
  const taskQueue = randomUUID();
  return withWorker(environment, taskQueue, activities, async () => {
    const args = [{ confirm: RESTORE_CONFIRMATION }];
    const { client } = environment.env;
    const handle = await client.workflow.start(RESTORE_WORKFLOWS.restore, { taskQueue, workflowId: taskQueue, args });
    await story(handle);
    const error: unknown = await handle.result().then(
      () => undefined,
      (e: unknown) => e,
    );
    return error instanceof WorkflowFailedError ? error.cause : (error as undefined);
  });
}

/** A step that waits until it is told to go on. */
function createStep() {
  let goOn: () => void = () => undefined;
  const open = new Promise<void>((resolve) => (goOn = resolve));
  return { wait: () => open, goOn: () => goOn() };
}

/** Time for a workflow that would not wait for what it began. */
const untilHeard = () => new Promise((resolve) => setTimeout(resolve, 300));

describe('a restore of a running platform', () => {
  it('that is cancelled while it is fenced takes the fence away again', async () => {
    const fencing = createStep();
    const fake = createFake({ fencePlatform: fencing.wait });
    const failure = await given(fake, async (handle) => {
      await expect.poll(() => fake.calls, { timeout: 20_000 }).toContain('fencePlatform');
      await handle.cancel();
      await untilHeard();
      fencing.goOn();
    });
    expect(failure).toBeInstanceOf(CancelledFailure);
    expect(fake.calls).toEqual(['previewRestore', 'fencePlatform', `liftFence of ${String(EPOCH)}`]);
  });

  it('that is cancelled when its staging is all but over is not taken over, and lifts the fence after it', async () => {
    const staging = createStep();
    const fake = createFake({ stageRestore: async () => (await staging.wait(), fake.calls.push('staged'), REPORT) });
    const failure = await given(fake, async (handle) => {
      await expect.poll(() => fake.calls, { timeout: 20_000 }).toContain('stageRestore');
      await handle.cancel();
      await untilHeard();
      staging.goOn();
    });
    expect(failure).toBeInstanceOf(CancelledFailure);
    expect(fake.calls.slice(2)).toEqual(['stageRestore', 'staged', `liftFence of ${String(EPOCH)}`]);
  });

  it('that finds a damaged backup lifts the fence and says what is wrong', async () => {
    const damaged = ApplicationFailure.create({ type: 'artefactCorrupt', message: 'damaged', nonRetryable: true });
    const fake = createFake({ stageRestore: () => Promise.reject(damaged) });
    expect(await given(fake)).toMatchObject({ type: 'artefactCorrupt', message: 'damaged' });
    expect(fake.calls.slice(2)).toEqual(['stageRestore', `liftFence of ${String(EPOCH)}`]);
  });

  it('that did not happen leaves nothing that the next start of the database would take', async () => {
    const home = await mkdtemp(join(tmpdir(), 'sluice-lift-'));
    const { base } = postgresBase(home);
    const lifted: number[] = [];
    const liftFence = (epoch: number) => Promise.resolve(void lifted.push(epoch));
    const activities = createRestoreActivities({ home, recovery: { liftFence } } as unknown as RestoreDeps);
    // Killed after the mark, before anybody was told.
    mkdirSync(stagedDataDir(base), { recursive: true });
    mkdirSync(join(base, 'restore-scratch'));
    writeFileSync(join(base, 'restore-scratch', 'wal'), '');
    markRestored(base);
    await activities.liftFence({ epoch: EPOCH, reason: 'the restore did not happen', by: 'test' });
    expect(lifted).toEqual([EPOCH]);
    expect(readdirSync(base)).toEqual([]);
    await rm(home, { recursive: true, force: true });
    await rm(base, { recursive: true, force: true });
  });
});
