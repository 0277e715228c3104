import { randomUUID } from 'node:crypto';
import { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { FailoverRegionInput, FailoverRegionResult, FailoverStatus } from '../../workflows/failover-messages.ts';
import { createTestWorker, startEnvironment, type WorkflowEnvironment } from './environment.ts';
import { createFakeFailover, type FakeFailover } from './fake-failover.ts';

let environment: WorkflowEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
});
afterAll(() => environment.env.teardown());

const STEPS = ['lookAtRegions', 'claimRegion', 'promoteRegion', 'proveRegion'];

async function given(fake: FakeFailover, input: FailoverRegionInput) {
  const taskQueue = randomUUID();
  const worker = await createTestWorker(environment, taskQueue, { ...fake.activities } as object);
  return worker.runUntil(async () => {
    const { workflow } = environment.env.client;
    const handle = await workflow.start<(input: FailoverRegionInput) => Promise<FailoverRegionResult>>(
      'failoverRegion',
      { taskQueue, workflowId: randomUUID(), args: [input] },
    );
    const result = await handle.result().catch((error: unknown) => error as WorkflowFailedError);
    return { result, status: await handle.query<FailoverStatus>('status') };
  });
}

describe('a region that takes over', () => {
  it('claims, promotes, proves and moves the traffic, in that order', async () => {
    const fake = createFakeFailover();
    const { result, status } = await given(fake, { confirm: 'west' });
    expect(result).toMatchObject({ region: 'west', previous: 'east', epoch: 2, traffic: 'told balancer.example' });
    expect(result).toMatchObject({ trafficProblem: null });
    expect(fake.calls).toEqual([...STEPS, 'moveTraffic']);
    expect(status.stage).toBe('done');
  });

  it('calls a hook that fails again, and then says that the traffic was not moved, while the region goes on serving', async () => {
    const fake = createFakeFailover({ hookFails: Infinity });
    const { result, status } = await given(fake, { confirm: 'west' });
    expect(result).toMatchObject({ traffic: null, trafficProblem: 'the balancer answers 503', epoch: 2 });
    expect(fake.calls.filter((name) => name === 'moveTraffic')).toHaveLength(20);
    // Nothing but the hook is done a second time, and nothing is taken back.
    expect(fake.calls.slice(0, STEPS.length)).toEqual(STEPS);
    expect(status).toMatchObject({ stage: 'done' });
    expect(status.message).toContain('NOT MOVED: the balancer answers 503');
  });

  it('fails when another region took over before the traffic was moved', async () => {
    const { result } = await given(createFakeFailover({ hookFails: 1, hookCode: 'conflict' }), { confirm: 'west' });
    expect(result).toBeInstanceOf(WorkflowFailedError);
    expect(result).toMatchObject({ cause: { type: 'conflict' } });
  });

  it('touches nothing when it is not the region that the order names', async () => {
    const fake = createFakeFailover();
    const { result } = await given(fake, { confirm: 'east' });
    expect(result).toMatchObject({ cause: { type: 'invalidInput' } });
    expect(fake.calls).toEqual(['lookAtRegions']);
  });
});
