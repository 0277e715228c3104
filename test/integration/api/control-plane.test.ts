import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connectTemporal } from '../../../adapters/temporal-client.ts';
import type { TemporalClient } from '../../../adapters/temporal-client.ts';
import type { ControlPlane } from '../../../api/control-plane.ts';
import { createTemporalControlPlane } from '../../../api/temporal-control-plane.ts';

const taskQueue = `stand-ins-${randomUUID()}`;
let connection: NativeConnection;
let worker: Worker;
let running: Promise<void>;
let temporal: TemporalClient;
let control: ControlPlane;
const models: string[] = [];

beforeAll(async () => {
  const address = inject('TEMPORAL_ADDRESS');
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  connection = await NativeConnection.connect({ address });
  const workflowsPath = fileURLToPath(new URL('./stand-in-workflows.ts', import.meta.url));
  worker = await Worker.create({ connection, taskQueue, workflowsPath });
  running = worker.run();
  temporal = connectTemporal({ temporalAddress: address, temporalNamespace: 'default' });
  control = createTemporalControlPlane({ temporal, taskQueue, now: Date.now });
});
afterAll(async () => {
  for (const model of models) {
    for (const id of [`train/${model}`, `rollout/${model}`]) {
      await temporal.client.workflow
        .getHandle(id)
        .terminate()
        .catch(() => undefined);
    }
  }
  worker.shutdown();
  await running;
  await connection.close();
  await temporal.close();
});

const newModel = (): string => {
  const model = `m-${randomUUID()}`;
  models.push(model);
  return model;
};
const by = 'key:test';

describe('trainings over Temporal', () => {
  it('are none, running with their stage, completed, and failed with the reason', async () => {
    const model = newModel();
    expect(await control.trainingStatus(model)).toMatchObject({ status: 'none', runId: null });
    const { workflowId, runId } = await control.startTraining({ model, seed: 2 });
    expect(workflowId).toBe(`train/${model}`);
    await expect
      .poll(() => control.trainingStatus(model), { timeout: 10_000 })
      .toMatchObject({
        status: 'running',
        runId,
        progress: { stage: 'train', message: `trains ${model}`, detail: null },
      });
    await expect(control.startTraining({ model })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining(runId),
    });
    await temporal.client.workflow.getHandle(workflowId).terminate('by the test');
    expect(await control.trainingStatus(model)).toMatchObject({
      status: 'failed',
      failure: expect.stringContaining('terminated'),
    });

    await control.startTraining({ model });
    const result = { kind: 'accepted', model };
    await expect
      .poll(() => control.trainingStatus(model), { timeout: 10_000 })
      .toMatchObject({ status: 'completed', result, progress: null });

    await control.startTraining({ model, seed: 1 });
    await expect
      .poll(() => control.trainingStatus(model), { timeout: 10_000 })
      .toMatchObject({ status: 'failed', failure: 'no such column', result: null });
  });
});

describe('rollout commands over Temporal', () => {
  it('are applied, refused with the reason, and find nothing after the end', async () => {
    const model = newModel();
    expect(await control.rolloutCommand(model, 'pause', { by })).toEqual({ kind: 'notRunning' });
    expect(await control.rolloutStatus(model)).toBeNull();
    await control.startRollout({ model, version: 2 });
    await expect(control.startRollout({ model, version: 3 })).rejects.toMatchObject({ code: 'conflict' });
    expect(await control.rolloutCommand(model, 'pause', { by })).toEqual({
      kind: 'applied',
      status: { rolloutId: 'r-1', model, reason: by },
    });
    expect(await control.rolloutStatus(model)).toEqual({ rolloutId: 'r-1', model });
    await expect(control.rolloutCommand(model, 'promote', { by })).rejects.toMatchObject({
      code: 'refused',
      message: 'not now',
      problems: [{ field: 'command', message: 'is refused by the test' }],
    });
    expect(await control.rolloutCommand(model, 'abort', { by })).toMatchObject({ kind: 'applied' });
    await expect
      .poll(() => control.rolloutCommand(model, 'abort', { by }), { timeout: 10_000 })
      .toEqual({ kind: 'notRunning' });
  });
});
