import { describe, expect, it } from 'vitest';
import { LOOKS_MAX, replayPolicy } from '../../../domain/replay-policy.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import { completePlan } from '../../../domain/rollout/complete-plan.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';
import type { ArmWindow } from '../../../domain/verdict.ts';

const MINUTE_MS = 60_000;
const plan: RolloutPlan = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 10 * MINUTE_MS },
    { weightPercent: 25, bakeTimeMs: 10 * MINUTE_MS },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  observeEveryMs: 30_000,
  keepWarmMs: 0,
};

/** Windows of 10 s at 200 requests a second, recorded at a weight of 25 %; errors of the candidate from `badFromMs` on. */
function record(minutes: number, badFromMs = Infinity): ArmWindow[] {
  const weights = { candidate: 25, baseline: 25, champion: 50 };
  return Array.from({ length: minutes * 6 }, (_, i) => {
    const errors = i * 10_000 >= badFromMs ? 10 : 0;
    const counts = {
      candidate: { ...NO_COUNTS, requests: 500, errors },
      baseline: { ...NO_COUNTS, requests: 500 },
      champion: { ...NO_COUNTS, requests: 1_000 },
    };
    return { startMs: i * 10_000, durationMs: 10_000, weights, counts };
  });
}

describe('a policy on recorded traffic', () => {
  it('would have promoted a good candidate, step by step', () => {
    const result = replayPolicy(completePlan(plan), record(60));
    expect(result.outcome).toBe('promoted');
    expect(result.events.map((e) => [e.kind, e.weightPercent])).toEqual([
      ['step', 5],
      ['step', 25],
      ['promoted', 100],
    ]);
    // 10 requests a second at 5 %: 4,603 of them and more show the errors to be rare; the second step only bakes.
    const [, second, promoted] = result.events.map((e) => e.atMs);
    expect(second).toBeGreaterThanOrEqual(10 * MINUTE_MS);
    expect(second).toBeLessThan(15 * MINUTE_MS);
    expect((promoted ?? 0) - (second ?? 0)).toBeLessThan(11 * MINUTE_MS);
    expect(result.verdict?.sampleRatio?.ok).toBe(true);
  });

  it('would have rolled back soon after the candidate broke', () => {
    const result = replayPolicy(completePlan(plan), record(60, 6 * MINUTE_MS));
    expect(result.outcome).toBe('rolledBack');
    expect(result.atMs).toBeLessThan(9 * MINUTE_MS);
    expect(result.events.at(-1)).toMatchObject({ kind: 'rolledBack', weightPercent: 0 });
  });

  it('thins the candidate to the weight of the plan', () => {
    const { candidate } = replayPolicy(completePlan(plan), record(5));
    expect(candidate.requests).toBe(30 * 100);
  });

  it('says what a record that is too short, or a plan that asks, leaves open', () => {
    expect(replayPolicy(completePlan(plan), record(5))).toMatchObject({ outcome: 'undecided', atMs: null });
    expect(replayPolicy(completePlan(plan), [])).toMatchObject({ outcome: 'undecided', looks: 0 });
    const asks = plan.steps.map((s) => ({ ...s, bakeTimeMs: 0, maxWaitMs: MINUTE_MS, onMaxWait: 'ask' as const }));
    expect(replayPolicy(completePlan({ ...plan, steps: asks }), record(20)).events.at(-1)?.kind).toBe('asked');
    const impatient = asks.map((s) => ({ ...s, onMaxWait: 'rollback' as const }));
    expect(replayPolicy(completePlan({ ...plan, steps: impatient }), record(20)).outcome).toBe('rolledBack');
  });

  it('stops where people would have been asked', () => {
    const rule = { role: 'security' as const, persons: 2 as const, expiresAfterMs: MINUTE_MS };
    const steps = plan.steps.map((s, i) => (i === 1 ? { ...s, approvals: [rule] } : s));
    const result = replayPolicy(completePlan({ ...plan, steps }), record(60));
    expect(result).toMatchObject({ outcome: 'undecided', atMs: null });
    expect(result.events.map((e) => [e.kind, e.weightPercent])).toEqual([
      ['step', 5],
      ['asked', 5],
    ]);
    expect(result.events.at(-1)?.reason).toContain('2 x security');
  });

  it('does not begin where people would have been asked before the first step', () => {
    const rule = { role: 'techLead' as const, persons: 1 as const, expiresAfterMs: MINUTE_MS };
    const steps = plan.steps.map((s, i) => (i === 0 ? { ...s, approvals: [rule] } : s));
    const result = replayPolicy(completePlan({ ...plan, steps }), record(60));
    expect(result).toMatchObject({ outcome: 'undecided', atMs: null, looks: 0, candidate: NO_COUNTS });
    expect(result.events).toEqual([
      { atMs: 0, kind: 'asked', weightPercent: 0, reason: 'the first step needs the approval of 1 x techLead' },
    ]);
  });

  it('takes no step on requests that all fell into the warm-up', () => {
    const eager = { ...plan, advance: 'noHarm' as const, minRequests: 0, warmUpRequests: 1e6 };
    const result = replayPolicy(completePlan(eager), record(60));
    expect(result).toMatchObject({ outcome: 'undecided' });
    expect(result.events).toHaveLength(1);
    expect(replayPolicy(completePlan({ ...eager, warmUpRequests: 50 }), record(60)).outcome).toBe('promoted');
  });

  it('looks no more often than it may', () => {
    const result = replayPolicy(completePlan({ ...plan, minRequests: 1e9, observeEveryMs: 100 }), record(60));
    expect(result.looks).toBeLessThanOrEqual(LOOKS_MAX);
    expect(result.lookEveryMs).toBeGreaterThan(100);
  });
});
