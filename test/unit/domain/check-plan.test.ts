import { describe, expect, it } from 'vitest';
import { checkPlan, overridePlan } from '../../../domain/rollout/check-plan.ts';
import { BLUE_GREEN, CANARY } from './rollout-fixtures.ts';

const fields = (change: object): readonly string[] => checkPlan({ ...CANARY, ...change }).map((p) => p.field);

describe('a plan', () => {
  it('is fine as the definitions write it', () => {
    expect(checkPlan(CANARY)).toEqual([]);
    expect(checkPlan(BLUE_GREEN)).toEqual([]);
    expect(
      fields({
        steps: [
          { weightPercent: 0.01, bakeTimeMs: 0 },
          { weightPercent: 100, bakeTimeMs: 0 },
        ],
      }),
    ).toEqual([]);
  });

  it('needs weights that grow to 100 in steps of 0.01, and whole durations', () => {
    const step = (weightPercent: number, bakeTimeMs = 0) => ({ weightPercent, bakeTimeMs });
    expect(fields({ steps: [] })).toEqual(['plan.steps']);
    expect(fields({ steps: [step(50)] })).toEqual(['plan.steps']);
    expect(fields({ steps: [step(50), step(50), step(100)] })).toEqual(['plan.steps[1].weightPercent']);
    expect(fields({ steps: [step(0.005), step(100)] })).toEqual(['plan.steps[0].weightPercent']);
    expect(fields({ steps: [step(-1), step(100, -1)] })).toEqual([
      'plan.steps[0].weightPercent',
      'plan.steps[1].bakeTimeMs',
    ]);
    expect(fields({ steps: [step(NaN), step(100)] })).toContain('plan.steps[0].weightPercent');
    expect(fields({ steps: Array.from({ length: 51 }, (_, i) => step(i)) })).toEqual(['plan.steps']);
  });

  it('needs numbers in range, and names every one that is not', () => {
    expect(
      fields({
        limits: { errorRateMax: 2, p95MsMax: 0 },
        minRequests: 1.5,
        observeEveryMs: 1,
        keepWarmMs: NaN,
      }),
    ).toEqual([
      'plan.limits.errorRateMax',
      'plan.limits.p95MsMax',
      'plan.minRequests',
      'plan.observeEveryMs',
      'plan.keepWarmMs',
    ]);
  });

  it('has choices within their ranges', () => {
    expect(
      fields({ alpha: 0.5, warmUpRequests: -1, mirrorPercent: 101, advance: 'hope', endsAtMs: -1, strategy: 'ab' }),
    ).toEqual([
      'plan.alpha',
      'plan.warmUpRequests',
      'plan.mirrorPercent',
      'plan.advance',
      'plan.endsAtMs',
      'plan.mirrorPercent',
      'plan.steps',
    ]);
  });

  it('has metrics that exist, each once, with what belongs to them', () => {
    const outcome = (event?: string, more: object = {}) => ({ metric: 'outcome', action: 'rollback', event, ...more });
    expect(
      fields({ metrics: [outcome('churned', { degradationMax: 0.05, better: 'lower' }), outcome('bought')] }),
    ).toEqual([]);
    expect(fields({ metrics: [] })).toEqual(['plan.metrics']);
    expect(fields({ metrics: Array.from({ length: 21 }, (_, i) => outcome(`e${i}`)) })).toEqual(['plan.metrics']);
    expect(
      fields({
        metrics: [
          { metric: 'errors', action: 'rollback' },
          { metric: 'p95', action: 'rollback', event: 'bought' },
          outcome(undefined),
          outcome('bought'),
          outcome('bought'),
          { metric: 'errorRate', action: 'watch', degradationMax: 0.1 },
          { metric: 'accuracy', action: 'watch', degradationMax: 0 },
        ],
      }),
    ).toEqual([
      'plan.metrics[0].metric',
      'plan.metrics[1].event',
      'plan.metrics[2].event',
      'plan.metrics[4]',
      'plan.metrics[5].degradationMax',
      'plan.metrics[6].degradationMax',
    ]);
  });

  it('fits its strategy', () => {
    const none = { weightPercent: 0, bakeTimeMs: 0 };
    const half = { weightPercent: 50, bakeTimeMs: 0 };
    const all = { weightPercent: 100, bakeTimeMs: 0 };
    expect(fields({ strategy: 'shadow', steps: [none] })).toEqual([]);
    expect(fields({ strategy: 'shadow', steps: [none], mirrorPercent: 0 })).toEqual(['plan.mirrorPercent']);
    expect(fields({ strategy: 'shadow', steps: [none, all] })).toEqual(['plan.steps']);
    expect(fields({ strategy: 'canary', mirrorPercent: 10 })).toEqual(['plan.mirrorPercent']);
    expect(fields({ strategy: 'canary', endsAtMs: 1 })).toEqual(['plan.endsAtMs']);
    expect(fields({ strategy: 'ab', steps: [half, all], endsAtMs: 1 })).toEqual([]);
    expect(fields({ strategy: 'ab', steps: [none, all] })).toEqual(['plan.steps']);
    expect(fields({ strategy: 'ab', steps: [all] })).toEqual(['plan.steps']);
  });

  it('has limits of a shadow that are shares and times', () => {
    const limits = { ...CANARY.limits, disagreementMax: 0, scoreShiftMax: 1, slowerMsMax: 5 };
    expect(fields({ limits })).toEqual([]);
    expect(fields({ limits: { ...limits, disagreementMax: 1.1, scoreShiftMax: 0, slowerMsMax: -1 } })).toEqual([
      'plan.limits.disagreementMax',
      'plan.limits.scoreShiftMax',
      'plan.limits.slowerMsMax',
    ]);
  });

  it('waits no longer than a year, no shorter than it bakes, and knows what then', () => {
    const YEAR_MS = 365 * 24 * 3_600_000;
    const steps = (change: object) => ({
      steps: [{ weightPercent: 5, bakeTimeMs: 1_000, ...change }, CANARY.steps[2]],
    });
    expect(fields(steps({ maxWaitMs: YEAR_MS, onMaxWait: 'ask' }))).toEqual([]);
    expect(fields(steps({ maxWaitMs: YEAR_MS + 1 }))).toEqual(['plan.steps[0].maxWaitMs']);
    expect(fields(steps({ maxWaitMs: 999 }))).toEqual(['plan.steps[0].maxWaitMs']);
    expect(fields(steps({ onMaxWait: 'shrug' }))).toEqual(['plan.steps[0].onMaxWait']);
  });

  it('has approvals by known roles, one rule each, of one or two persons, that last', () => {
    const rule = (change: object = {}) => ({ role: 'security', persons: 1, expiresAfterMs: 1_000, ...change });
    const steps = (...approvals: object[]) => ({ steps: [CANARY.steps[0], { ...CANARY.steps[2], approvals }] });
    expect(fields(steps(rule(), rule({ role: 'techLead', persons: 2 })))).toEqual([]);
    const at = (i: number) => `plan.steps[1].approvals[${i}]`;
    expect(fields(steps(rule({ role: 'intern', persons: 3, expiresAfterMs: 0 }), rule(), rule()))).toEqual([
      `${at(0)}.role`,
      `${at(0)}.persons`,
      `${at(0)}.expiresAfterMs`,
      `${at(2)}.role`,
    ]);
    expect(fields(steps(...Array.from({ length: 5 }, () => rule())))).toContain('plan.steps[1].approvals');
  });

  it('has its calendar checked with it', () => {
    const calendar = { timeZone: 'UTC', windows: [], holidays: ['2030-02-30'] };
    expect(fields({ calendar })).toEqual(['plan.calendar.holidays[0]']);
    expect(fields({ calendar: null })).toEqual([]);
  });

  it('keeps what the start of a rollout does not replace', () => {
    expect(overridePlan(CANARY, {})).toEqual(CANARY);
    expect(overridePlan(CANARY, { limits: { p95MsMax: 80 }, minRequests: 0 })).toEqual({
      ...CANARY,
      limits: { errorRateMax: 0.001, p95MsMax: 80 },
      minRequests: 0,
    });
  });
});
