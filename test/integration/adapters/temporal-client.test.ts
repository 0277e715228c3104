import { WorkflowNotFoundError } from '@temporalio/client';
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, inject, it } from 'vitest';
import { connectTemporal } from '../../../adapters/temporal-client.ts';

const temporal = connectTemporal({ temporalAddress: inject('TEMPORAL_ADDRESS'), temporalNamespace: 'default' });
afterAll(() => temporal.close());

describe('connectTemporal', () => {
  it('reaches a server at the first call', async () => {
    expect(await temporal.ping()).toBeGreaterThan(0);
  });

  it('starts a workflow, and leaves the errors of the server for the caller to tell apart', async () => {
    const workflowId = `test-${randomUUID()}`;
    const start = () => temporal.call((c) => c.workflow.start('anything', { taskQueue: 'nobody', workflowId }));
    const handle = await start();
    expect(handle.workflowId).toBe(workflowId);
    await expect(start()).rejects.toMatchObject({ name: 'WorkflowExecutionAlreadyStartedError' });
    await temporal.call(() => handle.terminate('the test is over'));
    const unknown = temporal.call((c) => c.workflow.getHandle('nobody').describe());
    await expect(unknown).rejects.toBeInstanceOf(WorkflowNotFoundError);
  });

  it('gives up at the deadline when nobody answers a workflow update', async () => {
    const workflowId = `test-${randomUUID()}`;
    const handle = await temporal.call((c) => c.workflow.start('anything', { taskQueue: 'nobody', workflowId }));
    const startedAt = performance.now();
    await expect(temporal.call(() => handle.executeUpdate('any'), 500)).rejects.toMatchObject({ code: 'unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    await temporal.call(() => handle.terminate('the test is over'));
  });
});
