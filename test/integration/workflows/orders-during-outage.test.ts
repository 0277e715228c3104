import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { RolloutCommandResult } from '../../../workflows/messages.ts';
import { createFakeRollout, PLAN, unavailable } from '../../workflow/fake-rollout.ts';
import { startPlatform, type Platform } from './platform-worker.ts';

let platform: Platform;
beforeAll(async () => {
  platform = await startPlatform();
});
afterAll(async () => {
  await platform.close();
});

describe('while the counters cannot be read', () => {
  it('an order is obeyed at once', async () => {
    const fake = createFakeRollout({ plan: { ...PLAN, observeEveryMs: 200 } });
    fake.fail('observe', unavailable);
    const worker = await platform.startWorker({}, fake.activities);
    const handle = await platform.client.workflow.start('rolloutModel', {
      workflowId: `rollout/${randomUUID()}`,
      taskQueue: platform.taskQueue,
      args: [{ model: 'prices', version: 2 }],
    });
    // By then the tries are seconds apart.
    await vi.waitFor(() => expect(fake.calls.filter((c) => c === 'observe').length).toBeGreaterThanOrEqual(4), {
      timeout: 20_000,
    });
    const startedAt = Date.now();
    const paused = await handle.executeUpdate<RolloutCommandResult, []>('pause');
    expect(paused.status).toMatchObject({ phase: 'paused', weightPercent: 5 });
    await handle.executeUpdate<RolloutCommandResult, []>('abort');
    expect(Date.now() - startedAt).toBeLessThan(3_000);
    expect(await handle.result()).toMatchObject({ outcome: 'aborted' });
    await worker.stop();
  });
});
