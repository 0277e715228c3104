import { describe, expect, it, vi } from 'vitest';
import { STEPS_BY_DEFAULT } from '../../domain/rollout/strategy-plans.ts';
import { PLAN } from './fake-rollout.ts';
import { CHAMPION_ALONE, HALF_MS, MINUTE_MS, result, rolloutStories, status } from './rollout-story.ts';

const { environment, given, sleep } = rolloutStories();
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const proven = { ...PLAN, advance: 'healthy' as const };

describe('a launch ramp', () => {
  it('goes up in half hours on evidence', async () => {
    const plan = { ...proven, strategy: 'launch-ramp' as const, steps: STEPS_BY_DEFAULT['launch-ramp'] };
    const { fake } = await given({ plan, verdict: () => 'healthy' }, result);
    expect(fake.weights).toEqual([10, 30, 60, 100, 100]);
  });
});

describe('a shadow', () => {
  const plan = { ...proven, strategy: 'shadow' as const, steps: STEPS_BY_DEFAULT.shadow };

  it('is given copies, answers nobody, and ends with a verdict', async () => {
    const { fake, value } = await given({ plan, verdict: () => 'healthy' }, async (handle) => {
      await sleep(HALF_MS);
      expect((await status(handle))?.routes).toEqual([
        ...CHAMPION_ALONE,
        { variant: 'shadow', version: 2, weightPercent: 0, mirrorPercent: 100 },
      ]);
      return result(handle);
    });
    expect(value).toMatchObject({ outcome: 'concluded', reason: 'fine so far' });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.aliases).toMatchObject({ champion: 1, candidate: null });
    expect(fake.calls).not.toContain('quarantine');
  });

  it('that is worse is rolled back and quarantined', async () => {
    const { fake, value } = await given({ plan, verdict: () => 'rollback' }, result);
    expect(value.outcome).toBe('rolledBack');
    expect(fake.calls).toContain('quarantine');
  });
});

describe('an A/B test', () => {
  const plan = { ...proven, strategy: 'ab' as const, steps: STEPS_BY_DEFAULT.ab, observeEveryMs: HOUR_MS };

  it('keeps its split until it is decided, and then promotes', async () => {
    const { fake, value } = await given({ plan, verdict: () => 'healthy' }, result);
    expect(value.outcome).toBe('promoted');
    expect(fake.weights).toEqual([50, 100, 100]);
  });

  it('that is undecided at its end date leaves the champion, and the candidate free', async () => {
    const endsAtMs = (await environment().env.currentTimeMs()) + 3 * DAY_MS;
    const { fake, value } = await given({ plan: { ...plan, endsAtMs } }, result);
    expect(value).toMatchObject({
      outcome: 'concluded',
      reason: expect.stringMatching(/^undecided at its end date/) as string,
    });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.calls).not.toContain('quarantine');
  });
});

describe('every step', () => {
  it('waits for the processes that do not follow it yet', async () => {
    let adopted = false;
    const adoption = () => ({ generation: 8, adopted, waitingFor: adopted ? [] : ['api-2'] });
    const { fake } = await given({ adoption }, async (handle) => {
      await sleep(30 * MINUTE_MS + HALF_MS);
      const now = await status(handle);
      expect(now).toMatchObject({ weightPercent: 5 });
      expect(now?.explanation.waitsFor).toBe('every process to follow generation 8 (missing: api-2)');
      adopted = true;
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 25, 100, 100]);
  });

  it('is told to those who listen, and the end too, by a workflow that outlives the rollout', async () => {
    const { fake } = await given(
      { listening: true, verdict: (w) => (w === 25 ? 'rollback' : 'healthy') },
      async (handle, told) => {
        await result(handle);
        // Not by skipping time: the notices are under way, and the server may lose a task that comes while it skips.
        const kinds = () => told.notices.map((n) => n.kind);
        await vi.waitFor(() => expect(kinds()).toContain('rollout.rollback'), { timeout: 20_000, interval: 50 });
      },
    );
    expect(fake.notices.map((n) => n.kind)).toEqual(
      expect.arrayContaining(['rollout.started', 'rollout.verdict', 'rollout.step', 'rollout.rollback']),
    );
    expect(new Set(fake.notices.map((n) => n.id)).size).toBe(fake.notices.length);
  });
});
