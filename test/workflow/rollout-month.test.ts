import { describe, expect, it } from 'vitest';
import { PLAN } from './fake-rollout.ts';
import { MINUTE_MS, result, rolloutStories } from './rollout-story.ts';

const { environment, given } = rolloutStories();
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

// In a file, and so with a Temporal, of its own: no failure of another story keeps its clock from skipping.
describe('the history', () => {
  it('of a rollout of 30 days fits into runs that continue each other', async () => {
    const steps = [
      { weightPercent: 5, bakeTimeMs: 15 * DAY_MS },
      { weightPercent: 100, bakeTimeMs: 0 },
    ];
    const plan = { ...PLAN, steps, observeEveryMs: HOUR_MS, keepWarmMs: 15 * DAY_MS };
    const { value } = await given({ plan }, async (handle) => {
      const ended = await result(handle);
      const last = await environment().env.client.workflow.getHandle(handle.workflowId).describe();
      return { ended, runs: [handle.firstExecutionRunId, last.runId], events: last.historyLength };
    });
    expect(value.ended.outcome).toBe('promoted');
    expect(new Set(value.runs).size).toBe(2);
    // Temporal ends a run at 51,200 events.
    expect(value.events).toBeLessThan(10_000);
  });
});
