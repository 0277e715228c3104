import { describe, expect, it } from 'vitest';
import { createJudge, judgePolicy, observationOf } from '../../../domain/judge.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import { completePlan } from '../../../domain/rollout/complete-plan.ts';
import type { RolloutLimits } from '../../../domain/rollout/plan.ts';
import type { ShadowStats, Verdict } from '../../../domain/verdict.ts';
import { CANARY } from './rollout-fixtures.ts';

const pairs: ShadowStats = {
  pairs: 10_000,
  disagreements: 300,
  shadowErrors: 0,
  scoreDiffSum: 200,
  scoreDiffSumOfSquares: 100,
  latencyDiffSumMs: 20_000,
  latencyDiffSumOfSquaresMs: 140_000,
};

function judged(change: Partial<RolloutLimits>): Verdict {
  const limits = { ...CANARY.limits, ...change };
  const observation = observationOf({ candidate: NO_COUNTS, champion: NO_COUNTS, windows: 3 });
  return createJudge()({ ...observation, shadow: pairs }, judgePolicy(completePlan({ ...CANARY, limits })));
}

const limitsOf = ({ evidence }: Verdict) => evidence.slice(1).map((e) => e.limit);

describe('the limits of a shadow', () => {
  it('are those of its plan, and where that says nothing a quarter of the p95, 10 % and 0.05', () => {
    expect(limitsOf(judged({}))).toEqual([30, 0.1, 0.05]);
    expect(limitsOf(judged({ p95MsMax: 400 }))).toEqual([100, 0.1, 0.05]);
    expect(judged({}).kind).toBe('healthy');
    const strict = judged({ slowerMsMax: 1, disagreementMax: 0.01, scoreShiftMax: 0.005 });
    expect(limitsOf(strict)).toEqual([1, 0.01, 0.005]);
    expect(strict.kind).toBe('rollback');
    expect(strict.evidence.map((e) => e.status)).toEqual(['healthy', 'breached', 'breached', 'breached']);
  });
});
