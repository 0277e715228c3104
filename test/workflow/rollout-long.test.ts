import { describe, expect, it } from 'vitest';
import { PLAN } from './fake-rollout.ts';
import { MINUTE_MS, result, rolloutStories } from './rollout-story.ts';

const { environment, given } = rolloutStories();

describe('a long rollout', () => {
  it('continues as a new run before its history grows too long', async () => {
    const plan = { ...PLAN, keepWarmMs: 450 * MINUTE_MS };
    const { fake, value } = await given({ plan }, async (handle) => {
      const ended = await result(handle);
      const last = await environment().env.client.workflow.getHandle(handle.workflowId).describe();
      return { ended, first: handle.firstExecutionRunId, last: last.runId, events: last.historyLength };
    });
    expect(value.last).not.toBe(value.first);
    expect(value.ended.outcome).toBe('promoted');
    expect(fake.weights).toEqual([5, 25, 100, 100]);
  });
});
