import { describe, expect, it } from 'vitest';
import type { PlanAssessment } from '../../../domain/assess-plan.ts';
import type { BacktestResult } from '../../../domain/replay-policy.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import type { ArmWindow } from '../../../domain/verdict.ts';
import { NOW_MS, ROLLOUT_ID, rollout } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

const HOUR_MS = 3_600_000;
const traffic = (hours: number) => ({
  counts: { requests: 720_000, errors: 72, slow: 7_200, latencySumMs: 1 },
  firstMs: NOW_MS - hours * HOUR_MS,
  lastMs: NOW_MS,
  users: 10_000,
  outcomes: { bought: 1_000 },
});

describe('POST /rollouts/plan', () => {
  it('simulates the plan of the definition at the traffic of the last day, or of as much of it as there was', async () => {
    const { call, world, control } = await createTestApp();
    world.traffic = traffic(24);
    const day = await call('POST', '/rollouts/plan', { body: { model: 'leavers' }, key: 'monitor' });
    expect(day.status).toBe(200);
    expect(day.json).toMatchObject({
      model: 'leavers',
      plan: { strategy: 'canary', advance: 'healthy', alpha: 0.01 },
      traffic: { errorRate: 0.0001, slowShare: 0.01, usersPerDay: 10_000, outcomes: { bought: 0.1 } },
    });
    expect(day.json.traffic.requestsPerSecond).toBeCloseTo(720_000 / 86_400);
    world.traffic = traffic(1);
    const { json } = await call('POST', '/rollouts/plan', { body: { model: 'leavers' } });
    expect(json.traffic).toMatchObject({ requestsPerSecond: 200, usersPerDay: 240_000 });
    // At 24 times the traffic the same evidence takes a 24th of the time.
    const [slow, fast] = [day.json, json].map((j) => (j.assessment as PlanAssessment).steps[0]!);
    expect(slow).toMatchObject({ weightPercent: 5, bakeTimeMs: 60_000 });
    expect(slow!.toHealthyMs! / fast!.toHealthyMs!).toBeCloseTo(24, 1);
    expect(slow!.detectMs.x10).toBeLessThan(slow!.detectMs.x2!);
    expect(control.startRollout).not.toHaveBeenCalled();
  });

  it('takes traffic that is given over what was measured, part by part', async () => {
    const { call, world } = await createTestApp();
    world.traffic = traffic(24);
    const body = { model: 'leavers', traffic: { requestsPerSecond: 2_000, errorRate: 0.02 } };
    const { json } = await call('POST', '/rollouts/plan', { body });
    expect(json.traffic).toMatchObject({ requestsPerSecond: 2_000, errorRate: 0.02, slowShare: 0.01 });
    expect((json.assessment as PlanAssessment).warnings.join()).toContain(
      'the champion itself fails in 2 % of its requests',
    );
    expect(json.assessment).toMatchObject({ decidable: false, expectedMs: null });
  });

  it('says that nothing can be decided without traffic', async () => {
    const { call } = await createTestApp();
    const { json } = await call('POST', '/rollouts/plan', { body: { model: 'leavers' } });
    expect(json.traffic).toEqual({ requestsPerSecond: 0, errorRate: 0, slowShare: 0, usersPerDay: null, outcomes: {} });
    expect(json.assessment.warnings).toContain('there is no traffic: no step will end by itself');
  });

  it('takes another strategy and parts of a plan, and lists every problem of the whole', async () => {
    const { call } = await createTestApp();
    const green = await call('POST', '/rollouts/plan', {
      body: { model: 'leavers', strategy: 'blue-green', plan: { limits: { p95MsMax: 80 } } },
    });
    expect(green.json.plan).toMatchObject({ strategy: 'blue-green', limits: { errorRateMax: 0.001, p95MsMax: 80 } });
    const steps = [{ weightPercent: 50, bakeTimeMs: 0 }];
    const wrong = {
      steps,
      minRequests: -1,
      alpha: 0.5,
      calendar: { timeZone: 'UTC', windows: [], holidays: ['2030-02-30'] },
    };
    const answer = await call('POST', '/rollouts/plan', { body: { model: 'leavers', plan: wrong } });
    expect(answer.status).toBe(422);
    expect(answer.fields).toEqual(['plan.steps', 'plan.minRequests', 'plan.alpha', 'plan.calendar.holidays[0]']);
    expect((await call('POST', '/rollouts/plan', { body: { model: 'nobody' } })).status).toBe(404);
  });
});

/** Windows of 10 s at 200 requests a second under 25 %; the candidate fails from `badFrom` on. */
function recorded(minutes: number, badFrom = Infinity): ArmWindow[] {
  return Array.from({ length: minutes * 6 }, (_, i) => ({
    startMs: NOW_MS - HOUR_MS + i * 10_000,
    durationMs: 10_000,
    weights: { candidate: 25, baseline: 25, champion: 50 },
    counts: {
      candidate: { ...NO_COUNTS, requests: 500, errors: i / 6 >= badFrom ? 50 : 0 },
      baseline: { ...NO_COUNTS, requests: 500 },
      champion: { ...NO_COUNTS, requests: 1_000 },
    },
  }));
}

describe('POST /rollouts/backtest', () => {
  it('replays the plan that a rollout ran by, by id or by model', async () => {
    const { call, world } = await createTestApp();
    world.rollouts = [rollout(new Date(NOW_MS))];
    world.windows = recorded(40);
    for (const name of [ROLLOUT_ID, 'leavers']) {
      const { status, json } = await call('POST', '/rollouts/backtest', { body: { rollout: name }, key: 'monitor' });
      expect(status).toBe(200);
      expect(json).toMatchObject({ rollout_id: ROLLOUT_ID, model: 'leavers', recorded: { outcome: 'promoted' } });
      expect(json.plan).toMatchObject({ ...world.rollouts[0]!.plan });
      expect(json.result).toMatchObject({ outcome: 'promoted', lookEveryMs: json.plan.observeEveryMs });
    }
  });

  it('replays another strategy or plan: the one that would have gone back, the one that would have asked', async () => {
    const { call, world } = await createTestApp();
    world.rollouts = [rollout(new Date(NOW_MS))];
    world.windows = recorded(40, 5);
    const replay = (body: object) => call('POST', '/rollouts/backtest', { body: { rollout: ROLLOUT_ID, ...body } });
    const back = (await replay({ plan: { observeEveryMs: 10_000 } })).json;
    expect(back.result).toMatchObject({ outcome: 'rolledBack' });
    expect((back.result as BacktestResult).events.at(-1)).toMatchObject({ kind: 'rolledBack', weightPercent: 0 });
    const blind = (
      await replay({ plan: { limits: { errorRateMax: 1 }, metrics: [{ metric: 'p95', action: 'rollback' }] } })
    ).json;
    expect(blind.result).toMatchObject({ outcome: 'promoted' });
    const rule = { role: 'security', persons: 2, expiresAfterMs: HOUR_MS };
    const steps = [
      { weightPercent: 5, bakeTimeMs: 60_000, approvals: [rule] },
      { weightPercent: 100, bakeTimeMs: 0 },
    ];
    const asks = (await replay({ plan: { steps } })).json;
    expect(asks.result).toMatchObject({
      outcome: 'undecided',
      looks: 0,
      events: [{ kind: 'asked', weightPercent: 0 }],
    });
    expect((await replay({ strategy: 'blue-green' })).json.plan.strategy).toBe('blue-green');
  });

  it('refuses what was not recorded, is not there, or cannot be a plan', async () => {
    const { call, world } = await createTestApp();
    world.rollouts = [rollout(new Date(NOW_MS))];
    const empty = await call('POST', '/rollouts/backtest', { body: { rollout: ROLLOUT_ID } });
    expect([empty.status, empty.json.detail]).toEqual([409, expect.stringContaining('Nothing was counted')]);
    expect((await call('POST', '/rollouts/backtest', { body: { rollout: 'nobody' } })).status).toBe(404);
    const wrong = { rollout: ROLLOUT_ID, plan: { observeEveryMs: 1, keepWarmMs: -1 } };
    expect((await call('POST', '/rollouts/backtest', { body: wrong })).fields).toEqual([
      'plan.observeEveryMs',
      'plan.keepWarmMs',
    ]);
  });
});
