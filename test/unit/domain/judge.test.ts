import { describe, expect, it } from 'vitest';
import { createJudge, observationOf } from '../../../domain/judge.ts';
import { METRICS_BY_DEFAULT } from '../../../domain/rollout/complete-plan.ts';
import type { MetricRule } from '../../../domain/rollout/plan.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import type { Arm, ArmWindow, JudgePolicy, Observation, OutcomeStats, ShadowStats } from '../../../domain/verdict.ts';
import { ACCURACY_EVENT, SCORE_BINS } from '../../../domain/verdict.ts';
import { checkSampleRatio } from '../../../domain/statistics/sample-ratio.ts';
import { combineVerdicts } from '../../../domain/verdicts/combine-verdicts.ts';

const judge = createJudge();
const LIMITS: readonly MetricRule[] = METRICS_BY_DEFAULT.slice(0, 2);

function policy(change: Partial<JudgePolicy> = {}): JudgePolicy {
  const limits = { errorRateMax: 0.001, p95MsMax: 120 };
  return { limits, metrics: METRICS_BY_DEFAULT, alpha: 0.01, warmUpRequests: 0, ...change };
}

interface Counted {
  readonly requests: number;
  readonly errors?: number;
  readonly slow?: number;
}
const of = ({ requests, errors = 0, slow = 0 }: Counted) => ({ ...NO_COUNTS, requests, errors, slow });

/** The same counters in every one of `windows` windows of 2 s at 10 s distance. */
function every(
  windows: number,
  arms: Partial<Record<Arm, Counted>>,
  weights = { candidate: 5, baseline: 5, champion: 90 },
) {
  const counted = (arm: Arm, times = 1) => {
    const { requests, errors = 0, slow = 0 } = arms[arm] ?? { requests: 0 };
    return of({ requests: requests * times, errors: errors * times, slow: slow * times });
  };
  const byWindow = Array.from({ length: windows }, (_, i): ArmWindow => {
    const counts = { candidate: counted('candidate'), baseline: counted('baseline'), champion: counted('champion') };
    return { startMs: i * 10_000, durationMs: 2_000, weights, counts };
  });
  const sums = { candidate: counted('candidate', windows), champion: counted('champion', windows), windows };
  return { ...observationOf(sums), byWindow };
}

/** Traffic as the weights say, with nothing wrong in it. */
const FINE = { candidate: { requests: 500 }, baseline: { requests: 500 }, champion: { requests: 9_000 } };

const sums = (requests: number, errors: number, slow = 0, windows = 10): Observation =>
  observationOf({ candidate: of({ requests, errors, slow }), champion: NO_COUNTS, windows });

describe('the verdict', () => {
  it('is inconclusive without traffic', () => {
    expect(judge(sums(0, 0, 0, 0), policy())).toMatchObject({ kind: 'inconclusive', reason: 'no traffic yet' });
  });

  it('rolls back on errors, with the numbers', () => {
    const verdict = judge(sums(2_000, 20), policy({ metrics: LIMITS }));
    expect(verdict).toMatchObject({ kind: 'rollback', reason: '1 % of 2,000 requests failed (limit 0.1 %)' });
    expect(verdict.evidence.map((e) => [e.metric, e.status, e.action, e.threshold])).toEqual([
      ['errorRate', 'breached', 'rollback', 200],
      ['p95', 'healthy', 'rollback', 200],
    ]);
    expect(verdict.evidence[0]?.eValue).toBeGreaterThan(200);
  });

  it('rolls back on slow answers', () => {
    expect(judge(sums(2_000, 0, 220), policy())).toMatchObject({
      kind: 'rollback',
      reason: '11 % of 2,000 requests took over 120 ms (limit 5 %)',
    });
  });

  it('waits for hits in three stretches of 10 s, because errors come in bursts', () => {
    const bad = { ...FINE, candidate: { requests: 500, errors: 20 } };
    expect(judge(every(2, bad), policy())).toMatchObject({ kind: 'inconclusive' });
    expect(judge(every(2, bad), policy()).reason).toContain('seen in 2 of the 3 windows it takes');
    expect(judge(every(3, bad), policy()).kind).toBe('rollback');
    expect(judge(sums(2_000, 20, 0, 2), policy()).kind).toBe('inconclusive');
    expect(judge(sums(2_000, 20, 0, 3), policy()).kind).toBe('rollback');
  });

  it('does not wait when a fifth of fifty requests failed', () => {
    expect(judge(sums(50, 10, 0, 1), policy()).kind).toBe('rollback');
    expect(judge(sums(50, 9, 0, 1), policy()).kind).toBe('inconclusive');
    expect(judge(sums(49, 49, 0, 1), policy()).kind).toBe('inconclusive');
  });

  it('does not count the warm-up', () => {
    const cold = sums(2_000, 20, 0, 10);
    expect(judge(cold, policy({ warmUpRequests: 50 })).kind).not.toBe('rollback');
    expect(judge(cold, policy({ warmUpRequests: 5 })).kind).toBe('rollback');
    expect(judge(cold, policy({ warmUpRequests: 50 })).evidence[0]?.sizes).toEqual({ candidate: 1_950 });
  });

  it('splits alpha over the metrics that may roll back, and over those alone', () => {
    const thresholds = judge(sums(100, 0), policy()).evidence.map((e) => e.threshold);
    expect(thresholds).toEqual([400, 400, 400, 400, 100]);
    const kinds = (n: number) =>
      [LIMITS.slice(0, 1), METRICS_BY_DEFAULT].map((metrics) => judge(sums(n, 15), policy({ metrics })).kind);
    const between = Array.from({ length: 60 }, (_, i) => kinds(3_000 + 50 * i));
    expect(between).toContainEqual(['rollback', 'inconclusive']);
    expect(between).not.toContainEqual(['inconclusive', 'rollback']);
  });

  it('only shows what is only watched', () => {
    const watched = LIMITS.map((rule) => ({ ...rule, action: 'watch' as const }));
    const verdict = judge(sums(2_000, 20), policy({ metrics: watched }));
    expect(verdict).toMatchObject({ kind: 'inconclusive', evidence: [{ status: 'breached' }, {}] });
  });

  it('is healthy only when every metric that decides is shown to be fine', () => {
    expect(judge(sums(20_000, 1, 200), policy()).kind).toBe('healthy');
    expect(judge(sums(20_000, 1, 950), policy({ metrics: LIMITS }))).toMatchObject({
      kind: 'inconclusive',
      reason: 'not yet known: 4.75 % of 20,000 requests took over 120 ms (limit 5 %)',
    });
  });

  it('takes a limit of no errors at all nearly literally', () => {
    const strict = policy({ limits: { errorRateMax: 0, p95MsMax: 120 } });
    expect(judge(sums(1_000, 0), strict).kind).toBe('inconclusive');
    expect(judge(sums(1_000, 3), strict).kind).toBe('rollback');
    expect(judge(sums(1_000, 900), policy({ limits: { errorRateMax: 1, p95MsMax: 120 } })).kind).toBe('rollback');
  });

  it('stays finite when everything fails', () => {
    const verdict = judge(sums(1e9, 1e9, 1e9), policy());
    expect(JSON.stringify(verdict.evidence)).not.toContain('null');
  });
});

describe('beside the baseline', () => {
  const rule: MetricRule = { metric: 'errorRateVsBaseline', action: 'rollback' };
  const only = policy({ metrics: [rule], limits: { errorRateMax: 0.5, p95MsMax: 120 } });

  it('rolls back a candidate that fails where the baseline does not, far below the limit', () => {
    const verdict = judge(every(20, { ...FINE, candidate: { requests: 500, errors: 1 } }), only);
    expect(verdict).toMatchObject({ kind: 'rollback', evidence: [{ sizes: { candidate: 10_000, baseline: 10_000 } }] });
    expect(verdict.reason).toBe('0.2 % of 10,000 requests failed, beside 0 % of 10,000 of the baseline');
  });

  it('does not hold the candidate to a baseline that fails as often', () => {
    const alike = { ...FINE, candidate: { requests: 500, errors: 2 }, baseline: { requests: 500, errors: 2 } };
    const verdict = judge(every(100, alike), only);
    expect(verdict.kind).toBe('healthy');
    expect(verdict.evidence[0]?.eValue).toBeLessThan(1);
  });

  it('compares with the rest of production where there is no baseline', () => {
    const arms = { candidate: { requests: 500, errors: 1 }, champion: { requests: 9_500 } };
    const weights = { candidate: 5, baseline: 0, champion: 95 };
    expect(judge(every(20, arms, weights), only).reason).toContain('of the champion');
  });

  it('is healthy beside a silent baseline once the limit itself is shown to be kept', () => {
    const verdict = judge(every(20, FINE), policy());
    expect(verdict.kind).toBe('healthy');
    expect(verdict.evidence[2]).toMatchObject({ metric: 'errorRateVsBaseline', status: 'healthy' });
  });
});

describe('the split of the traffic', () => {
  /** From so many users that chance moves no share by much. */
  const manyKeys = { keys: 50_000 };

  it('is checked before anything else is concluded', () => {
    const lost = { ...every(20, { ...FINE, candidate: { requests: 300, errors: 5 } }), ...manyKeys };
    const verdict = judge(lost, policy());
    expect(verdict).toMatchObject({ kind: 'inconclusive', sampleRatio: { ok: false } });
    expect(verdict.reason).toContain('not split as configured');
  });

  it('may be off by a little', () => {
    const busy = { ...every(20, { ...FINE, candidate: { requests: 560 } }), ...manyKeys };
    expect(judge(busy, policy())).toMatchObject({ kind: 'healthy', sampleRatio: { ok: true } });
  });

  it('is one of users: a few who come again and again prove nothing', () => {
    const tenths = { candidate: 10, baseline: 10, champion: 80 };
    const uneven = every(
      200,
      { candidate: { requests: 440 }, baseline: { requests: 560 }, champion: { requests: 4_000 } },
      tenths,
    );
    const off = every(
      200,
      { candidate: { requests: 340 }, baseline: { requests: 660 }, champion: { requests: 4_000 } },
      tenths,
    );
    for (const seen of [uneven, off]) {
      expect(judge({ ...seen, keys: 500 }, policy()).sampleRatio).toMatchObject({ ok: true });
      expect(judge(seen, policy()).sampleRatio).toMatchObject({ ok: true });
    }
    expect(judge({ ...off, keys: 50_000 }, policy()).sampleRatio).toMatchObject({ ok: false });
  });

  it.each([
    ['gets none', 0],
    ['gets them twice', 1_000],
  ])('is found wrong when the candidate %s, even of few users', (_, requests) => {
    const tenths = { candidate: 10, baseline: 10, champion: 80 };
    const counts = { candidate: { requests }, baseline: { requests: 500 }, champion: { requests: 4_000 } };
    const wrong = every(200, counts, tenths);
    expect(checkSampleRatio(wrong.byWindow, 500)).toMatchObject({ ok: false });
    expect(checkSampleRatio(wrong.byWindow, null)).toMatchObject({ ok: false });
  });

  it('follows changing weights', () => {
    const early = every(20, FINE).byWindow;
    const half = { candidate: 50, baseline: 50, champion: 0 };
    const late = every(20, { candidate: { requests: 5_000 }, baseline: { requests: 5_000 } }, half).byWindow;
    const byWindow = [...early, ...late.map((w) => ({ ...w, startMs: w.startMs + 200_000 }))];
    const seen = { ...every(20, FINE), byWindow, ...manyKeys };
    expect(judge(seen, policy()).sampleRatio).toMatchObject({ ok: true });
    // What was right before does not excuse what is wrong now.
    const lost = late.map((w) => ({ ...w, counts: { ...w.counts, candidate: of({ requests: 1_500 }) } }));
    const wrong = { ...seen, byWindow: [...early, ...lost] };
    expect(judge(wrong, policy()).sampleRatio).toMatchObject({ ok: false });
  });

  it('does not save a candidate that fails in a fifth of its requests', () => {
    const broken = { ...every(20, { ...FINE, candidate: { requests: 300, errors: 100 } }), ...manyKeys };
    expect(judge(broken, policy())).toMatchObject({ kind: 'rollback', sampleRatio: { ok: false } });
  });
});

describe('a business metric', () => {
  const stats = (arm: Arm, users: number, share: number, event = 'order'): OutcomeStats => {
    return { event, arm, users, sum: users * share, sumOfSquares: users * share };
  };
  const rule: MetricRule = { metric: 'outcome', event: 'order', action: 'rollback', degradationMax: 0.05 };
  const verdictOf = (outcomes: readonly OutcomeStats[], metrics: readonly MetricRule[] = [rule]) =>
    judge({ ...sums(20_000, 0), outcomes }, policy({ metrics }));

  it('rolls back a loss that is shown and too large', () => {
    const verdict = verdictOf([stats('candidate', 40_000, 0.085), stats('baseline', 40_000, 0.1)]);
    expect(verdict.kind).toBe('rollback');
    expect(verdict.reason).toBe(
      'order: 0.085 over 40,000 users, beside 0.1 over 40,000: worse by 15 % (allowed loss 5 %)',
    );
  });

  it('does not roll back a loss that is shown but allowed', () => {
    const verdict = verdictOf([stats('candidate', 4e6, 0.097), stats('baseline', 4e6, 0.1)]);
    expect(verdict).toMatchObject({ kind: 'healthy' });
    expect(verdict.evidence[0]?.eValue).toBeGreaterThan(100);
  });

  it('is healthy once a loss of that size is ruled out, over both arms of the champion version', () => {
    const few = [stats('candidate', 20_000, 0.1), stats('baseline', 20_000, 0.1)];
    expect(verdictOf(few).kind).toBe('inconclusive');
    const many = [stats('candidate', 200_000, 0.1), stats('baseline', 200_000, 0.1), stats('champion', 900_000, 0.1)];
    expect(verdictOf(many)).toMatchObject({ kind: 'healthy', evidence: [{ sizes: { baseline: 1_100_000 } }] });
  });

  it('reads complaints the other way round', () => {
    const complaints: MetricRule = { ...rule, event: 'complaint', better: 'lower' };
    const more = [stats('candidate', 40_000, 0.03, 'complaint'), stats('baseline', 40_000, 0.02, 'complaint')];
    expect(verdictOf(more, [complaints]).kind).toBe('rollback');
    const fewer = [stats('candidate', 40_000, 0.02, 'complaint'), stats('baseline', 40_000, 0.03, 'complaint')];
    expect(verdictOf(fewer, [complaints]).kind).toBe('healthy');
  });

  it('knows accuracy from labels that came true, and no answer from few users', () => {
    const accuracy: MetricRule = { metric: 'accuracy', action: 'rollback' };
    const worse = [stats('candidate', 5_000, 0.7, ACCURACY_EVENT), stats('champion', 50_000, 0.8, ACCURACY_EVENT)];
    expect(verdictOf(worse, [accuracy]).kind).toBe('rollback');
    const few = [stats('candidate', 150, 0.2, ACCURACY_EVENT), stats('champion', 50_000, 0.8, ACCURACY_EVENT)];
    expect(verdictOf(few, [accuracy]).kind).toBe('inconclusive');
  });
});

describe('scores', () => {
  const bins = (at: number) =>
    Array.from({ length: SCORE_BINS }, (_, i) => Math.round(2_000 * Math.exp(-((i - at) ** 2) / 18)));
  const rule: MetricRule = { metric: 'scoreShift', action: 'rollback' };
  const verdictOf = (at: number) => {
    const scores = [
      { arm: 'candidate', bins: bins(at) },
      { arm: 'baseline', bins: bins(6) },
    ] as const;
    return judge({ ...sums(20_000, 0), scores }, policy({ metrics: [rule] }));
  };

  it('that moved far are a breach, that moved a little are not', () => {
    expect(verdictOf(9)).toMatchObject({ kind: 'rollback', evidence: [{ metric: 'scoreShift' }] });
    expect(verdictOf(6.8)).toMatchObject({ kind: 'healthy' });
    expect(verdictOf(6.8).evidence[0]?.eValue).toBeGreaterThan(100);
  });
});

describe('a shadow', () => {
  const fine: ShadowStats = {
    pairs: 10_000,
    disagreements: 300,
    shadowErrors: 0,
    scoreDiffSum: 50,
    scoreDiffSumOfSquares: 100,
    latencyDiffSumMs: 20_000,
    latencyDiffSumOfSquaresMs: 140_000,
  };
  const verdictOf = (change: Partial<ShadowStats>) =>
    judge({ ...sums(0, 0), shadow: { ...fine, ...change } }, policy());

  it('is judged pair by pair', () => {
    const verdict = verdictOf({});
    expect(verdict.kind).toBe('healthy');
    expect(verdict.evidence.map((e) => [e.metric, e.status, e.action])).toEqual([
      ['shadowErrors', 'healthy', 'rollback'],
      ['shadowLatency', 'healthy', 'rollback'],
      ['shadowDisagreement', 'healthy', 'watch'],
      ['shadowScore', 'healthy', 'watch'],
    ]);
  });

  it('goes for its errors and for its time, and may disagree', () => {
    expect(verdictOf({ shadowErrors: 60 }).kind).toBe('rollback');
    expect(verdictOf({ latencyDiffSumMs: 400_000, latencyDiffSumOfSquaresMs: 17e6 }).kind).toBe('rollback');
    const other = verdictOf({ disagreements: 3_000, scoreDiffSum: 1_500, scoreDiffSumOfSquares: 500 });
    expect(other.kind).toBe('healthy');
    expect(other.evidence.slice(2).map((e) => e.status)).toEqual(['breached', 'breached']);
  });
});

describe('several verdicts', () => {
  const verdict = (kind: 'rollback' | 'healthy' | 'inconclusive') => ({ kind, reason: kind, evidence: [] });
  it('are as bad as the worst of them', () => {
    const kinds = (...all: Parameters<typeof verdict>[0][]) => combineVerdicts(all.map(verdict)).kind;
    expect(kinds('healthy', 'healthy')).toBe('healthy');
    expect(kinds('healthy', 'inconclusive')).toBe('inconclusive');
    expect(kinds('rollback', 'inconclusive', 'healthy')).toBe('rollback');
    expect(kinds()).toBe('inconclusive');
  });
});
