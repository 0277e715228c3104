import proto from '@temporalio/proto';
import { describe, expect, it } from 'vitest';
import type { Evidence } from '../../domain/verdict.ts';
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

  it('of a rollout that looks every 4 s, as shipped, stays small however long it lasts', async () => {
    const steps = [
      { weightPercent: 5, bakeTimeMs: 45 * MINUTE_MS },
      { weightPercent: 100, bakeTimeMs: 0 },
    ];
    const plan = { ...PLAN, steps, observeEveryMs: 4_000, keepWarmMs: 0 };
    const { value: run, fake } = await given({ plan, evidence: EVIDENCE }, async (handle) => {
      await result(handle);
      const { workflowId, firstExecutionRunId: runId } = handle;
      const first = await environment().env.client.workflow.getHandle(workflowId, runId).fetchHistory();
      const events = first.events ?? [];
      const bytes = proto.temporal.api.history.v1.History.encode(first).finish().length;
      const end = events.at(-1)?.workflowExecutionContinuedAsNewEventAttributes;
      const carried = end?.input?.payloads?.reduce((sum, p) => sum + (p.data?.length ?? 0), 0) ?? 0;
      const looks = events.filter(
        (e) => e.activityTaskScheduledEventAttributes?.activityType?.name === 'observe',
      ).length;
      return { events: events.length, bytes, carried, looks };
    });
    const month = (30 * DAY_MS) / 4_000 / run.looks;
    console.log(
      `a run: ${run.looks} looks, ${run.events} events, ${run.bytes} bytes, of which ${run.carried} are carried over; ` +
        `${(run.events / run.looks).toFixed(1)} events a look; 30 days: ${Math.ceil(month)} runs`,
    );
    expect(fake.weights.at(-1)).toBe(100);
    // It was continued: the limits are 51,200 events, 50 MB, and 2 MB for what is carried over.
    expect(run.carried).toBeGreaterThan(0);
    expect(run.carried).toBeLessThan(100_000);
    expect(run.events).toBeLessThan(10_000);
    expect(run.bytes).toBeLessThan(10_000_000);
    expect(run.events / run.looks).toBeLessThan(15);
  });
});

/** What the shipped metrics say at each look: with a sentence for a person, as the judge writes it. */
const EVIDENCE: readonly Evidence[] = (
  ['errorRate', 'p95', 'errorRateVsBaseline', 'slowVsBaseline', 'scoreShift'] as const
).map((metric) => ({
  metric,
  action: metric === 'scoreShift' ? 'watch' : 'rollback',
  sizes: { candidate: 1_234_567, baseline: 1_234_567, champion: 22_345_678 },
  observed: 0.000512345678,
  baseline: 0.000512345678,
  limit: 0.001,
  eValue: 0.0123456789,
  threshold: 400,
  healthEValue: 12.3456789,
  healthThreshold: 100,
  status: 'open',
  sentence: '0.0512 % of 1,234,567 requests failed, beside 0.0512 % of 1,234,567 of the baseline',
}));
