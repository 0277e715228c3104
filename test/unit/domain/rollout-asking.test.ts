import { describe, expect, it } from 'vitest';
import { noticesOf } from '../../../domain/rollout/notices.ts';
import type { RolloutPlan } from '../../../domain/rollout/plan.ts';
import type { Verdict } from '../../../domain/verdict.ts';
import { CANARY, driver } from './rollout-fixtures.ts';

const MINUTE_MS = 60_000;
const approvals = [{ role: 'security' as const, persons: 2 as const, expiresAfterMs: 60 * MINUTE_MS }];
const plan: RolloutPlan = {
  ...CANARY,
  advance: 'healthy',
  steps: [
    { weightPercent: 5, bakeTimeMs: MINUTE_MS },
    { weightPercent: 50, bakeTimeMs: MINUTE_MS, approvals },
    { weightPercent: 100, bakeTimeMs: 0, approvals },
  ],
};

/** A rollout whose requests for a person are counted. */
function asking(change: Partial<RolloutPlan> = {}) {
  const rollout = driver({ plan: { ...plan, ...change } });
  const asked: string[] = [];
  let minute = 0;
  /** What happens in the next minute, told as the workflow tells it. */
  const next = (act: (nowMs: number) => void): void => {
    const before = rollout.state;
    const nowMs = (minute += 1) * MINUTE_MS;
    act(nowMs);
    const notices = noticesOf(before, rollout.state, nowMs);
    asked.push(...notices.filter((n) => n.kind === 'rollout.approvalNeeded').map((n) => n.message));
  };
  next((now) => rollout.start(now));
  const look = (kind: 'healthy' | 'inconclusive' | 'uneven' = 'healthy') =>
    next((now) => rollout.look(now, 200, kind === 'uneven' ? 'inconclusive' : kind, kind === 'uneven' ? UNEVEN : {}));
  return { rollout, asked, next, look, approve: (by: string) => next((now) => rollout.approve(now, by)) };
}

const UNEVEN = {
  verdict: {
    kind: 'inconclusive',
    reason: 'the split does not fit',
    evidence: [],
    sampleRatio: { ok: false, pValue: 0 },
  },
} as const;

describe('people', () => {
  it('are asked once for a step, whatever else it waits for comes and goes', () => {
    const { rollout, asked, look, next } = asking();
    for (const kind of ['healthy', 'inconclusive', 'healthy', 'uneven', 'healthy'] as const) look(kind);
    next((now) => rollout.order('pause', now));
    next((now) => rollout.order('resume', now));
    look();
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain('step 2 needs the approval of security');
  });

  it('are asked for each step that needs them', () => {
    const { rollout, asked, look, approve } = asking();
    look();
    approve('ann');
    approve('ben');
    look();
    expect(rollout.state.weightPercent).toBe(50);
    look();
    look();
    expect(asked.map((message) => /step \d/.exec(message)?.[0])).toEqual(['step 2', 'step 3']);
  });

  it('look at watched metrics too: one that is breached voids what they agreed to', () => {
    const shifted = (status: 'open' | 'breached') => ({
      verdict: {
        kind: 'healthy' as const,
        reason: 'within the limits',
        evidence: [
          { metric: 'scoreShift', action: 'watch', status, observed: 0.3, limit: 0.1, eValue: 900, threshold: 400 },
        ],
      } satisfies Verdict,
    });
    const afterShift = (bindsWatched: boolean) => {
      const rollout = driver({ plan, bindsWatched });
      rollout.start(0);
      rollout.look(MINUTE_MS / 2, 200, 'healthy', shifted('open'));
      rollout.approve(MINUTE_MS / 2, 'ann');
      rollout.approve(MINUTE_MS / 2, 'ben');
      rollout.look(2 * MINUTE_MS, 200, 'healthy', shifted('breached'));
      return rollout.state;
    };
    expect(afterShift(true)).toMatchObject({ weightPercent: 5, approvals: [] });
    // A run whose history was written by the older rule must go the same way again.
    expect(afterShift(false)).toMatchObject({ weightPercent: 50 });
  });

  it('are asked again when an approval no longer counts', () => {
    const { rollout, asked, look, approve } = asking();
    look();
    approve('ann');
    look('inconclusive');
    expect(rollout.state.approvals).toHaveLength(1);
    look('uneven');
    expect(rollout.state.approvals).toHaveLength(0);
    expect(asked).toHaveLength(1);
    look();
    look();
    expect(asked).toHaveLength(2);
  });

  it('are asked when the longest wait is over, and not by a pause that a person ordered', () => {
    const steps = [
      { weightPercent: 5, bakeTimeMs: 0, maxWaitMs: 3 * MINUTE_MS, onMaxWait: 'ask' as const },
      plan.steps[2]!,
    ];
    const { rollout, asked, look, next } = asking({ steps });
    next((now) => rollout.order('pause', now));
    next((now) => rollout.order('resume', now));
    look('inconclusive');
    expect(asked).toEqual([]);
    for (const kind of ['inconclusive', 'inconclusive', 'inconclusive'] as const) look(kind);
    expect(rollout.state.phase).toBe('paused');
    expect(asked).toHaveLength(1);
    next((now) => rollout.order('resume', now));
    look();
    expect(asked).toHaveLength(2);
    expect(asked[1]).toContain('needs the approval of security');
  });
});
