import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { defaultPayloadConverter } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Jobs } from '../../../models/training/job.ts';
import {
  trainWorkflowId,
  type TrainModelResult,
  type TrainProgress,
  type TrainStatus,
} from '../../../workflows/messages.ts';
import { parcelsCsv, parcelsYaml, startPlatform, type Platform } from './platform-worker.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(async () => {
  await platform.close();
});

/** The real jobs, but a training that stops after its first half until it is let on; it notes that half in its folder. */
function haltingJobs(real: Jobs) {
  const attempts: string[] = [];
  let letOn = false;
  const jobs: Jobs = {
    ...real,
    train: async (job, control) => {
      const marker = join(job.workDir, '..', 'half-done');
      attempts.push(await readFile(marker, 'utf8').catch(() => 'from the start'));
      await writeFile(marker, 'from the checkpoint');
      control.onProgress({ stage: 'fit', done: 1, total: 2, message: 'half of it' });
      if (!letOn) {
        await new Promise((_, reject) => control.signal.addEventListener('abort', () => reject(new Error('killed'))));
      }
      return real.train(job, control);
    },
  };
  return { jobs, attempts, letOn: () => (letOn = true) };
}

describe('a training whose worker stops half-way', () => {
  it('shows its progress, is handed on at once, and goes on in the same folder', async () => {
    const model = `parcels-${randomUUID().slice(0, 8)}`;
    await platform.apply(parcelsYaml(model), parcelsCsv(600));
    const halting = haltingJobs(platform.deps.jobs);
    const workDir = platform.home;
    const first = await platform.startWorker({ jobs: halting.jobs, workDir });
    const handle = await platform.client.workflow.start('trainModel', {
      workflowId: trainWorkflowId(model),
      taskQueue: platform.taskQueue,
      args: [{ model, algorithms: ['spline-logistic'] }],
    });
    await vi.waitFor(
      async () => {
        const { raw } = await handle.describe();
        const payload = raw.pendingActivities?.[0]?.heartbeatDetails?.payloads?.[0];
        expect(payload).toBeDefined();
        const detail = defaultPayloadConverter.fromPayload<TrainProgress>(payload!);
        expect(detail).toEqual({ stage: 'fit', done: 1, total: 2, message: 'half of it' });
      },
      { timeout: 30_000, interval: 200 },
    );
    expect(await handle.query<TrainStatus>('status')).toMatchObject({ stage: 'train', done: 3, total: 6 });
    await first.stop();
    halting.letOn();
    const startedAt = Date.now();
    const second = await platform.startWorker({ jobs: halting.jobs, workDir });
    const result = (await handle.result()) as TrainModelResult;
    // Sooner than the 20 s after which missing heartbeats would be noticed.
    expect(Date.now() - startedAt).toBeLessThan(18_000);
    expect(result).toMatchObject({ kind: 'accepted', version: 1 });
    expect(halting.attempts).toEqual(['from the start', 'from the checkpoint']);
    await second.stop();
  }, 90_000);

  it('waits for its turn while another training runs, without holding anything else up', async () => {
    const [one, two] = [`parcels-${randomUUID().slice(0, 8)}`, `parcels-${randomUUID().slice(0, 8)}`];
    for (const model of [one, two]) await platform.apply(parcelsYaml(model), parcelsCsv(600));
    const halting = haltingJobs(platform.deps.jobs);
    const worker = await platform.startWorker({ jobs: halting.jobs, workDir: platform.home });
    const start = (model: string) =>
      platform.client.workflow.start('trainModel', {
        workflowId: trainWorkflowId(model),
        taskQueue: platform.taskQueue,
        args: [{ model, algorithms: ['spline-logistic'] }],
      });
    const first = await start(one);
    await vi.waitFor(() => expect(halting.attempts).toHaveLength(1), { timeout: 20_000 });
    const second = await start(two);
    await vi.waitFor(async () => expect(await second.query<TrainStatus>('status')).toMatchObject({ stage: 'train' }), {
      timeout: 20_000,
    });
    expect(halting.attempts).toHaveLength(1);
    await first.terminate('test');
    halting.letOn();
    // The terminated one is told by its next heartbeat, and makes room.
    expect(await second.result()).toMatchObject({ kind: 'accepted' });
    await worker.stop();
  }, 90_000);
});
