import { describe, expect, it } from 'vitest';
import { PLAN } from './fake-rollout.ts';
import { MINUTE_MS, result, rolloutStories } from './rollout-story.ts';

/** From here on Temporal warns; at five times as many it ends a run. */
const HISTORY_EVENTS_MAX = 10_240;

const { environment, given } = rolloutStories();

describe('a long rollout', () => {
  it('continues as a new run before its history grows too long', async () => {
    const plan = { ...PLAN, keepWarmMs: 450 * MINUTE_MS };
    const { fake, value } = await given({ plan }, async (handle) => {
      const ended = await result(handle);
      const last = await environment().env.client.workflow.getHandle(handle.workflowId).describe();
      const { client } = environment().env;
      const { events } = await client.workflow.getHandle(handle.workflowId, handle.firstExecutionRunId).fetchHistory();
      return { ended, first: handle.firstExecutionRunId, last: last.runId, events: events ?? [] };
    });
    expect(value.last).not.toBe(value.first);
    expect(value.ended.outcome).toBe('promoted');
    expect(fake.weights).toEqual([5, 25, 100, 100]);
    // A timer, a look, and the two tasks they wake.
    const { length } = value.events;
    const looks = value.events.filter(
      (e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'observe',
    ).length;
    expect(looks).toBeGreaterThan(100);
    expect(length / looks).toBeLessThan(12);
    expect(length).toBeLessThan(HISTORY_EVENTS_MAX);
  });
});
