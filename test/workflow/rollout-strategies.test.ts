import { describe, expect, it } from 'vitest';
import { PLAN } from './fake-rollout.ts';
import { CHAMPION_ALONE, MINUTE_MS, order, result, rolloutStories, status, HALF_MS } from './rollout-story.ts';

const { given, sleep } = rolloutStories();

describe('blue-green and all-at-once', () => {
  const steps = [0, 10, 50, 100].map((weightPercent) => ({ weightPercent, bakeTimeMs: 2 * MINUTE_MS }));
  const blueGreen = { ...PLAN, strategy: 'blue-green' as const, steps };

  it('warms up without traffic, then 10, 50, 100, then takes the old version out', async () => {
    const { fake, value } = await given({ plan: blueGreen }, async (handle) => {
      await sleep(HALF_MS);
      expect((await status(handle))?.routes).toHaveLength(2);
      await sleep(10 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ phase: 'keepWarm' });
      expect((await status(handle))?.routes[0]).toEqual({ variant: 'champion', version: 1, weightPercent: 0 });
      return result(handle);
    });
    expect(value.outcome).toBe('promoted');
    expect(fake.weights).toEqual([0, 10, 50, 100, 100]);
    expect(fake.routes).toEqual([{ variant: 'champion', version: 2, weightPercent: 100 }]);
  });

  it.each([0, 10, 50, 100])('can be rolled back by verdict at %i %%', async (weight) => {
    const { fake, value } = await given(
      { plan: blueGreen, verdict: (w) => (w === weight ? 'rollback' : 'healthy') },
      result,
    );
    expect(value.outcome).toBe('rolledBack');
    expect(fake.weights.at(-2)).toBe(weight);
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.aliases.champion).toBe(1);
  });

  it.each([1, 3, 5, 9])('can be aborted after %i minutes', async (minutes) => {
    const { fake, value } = await given({ plan: blueGreen }, async (handle) => {
      await sleep(minutes * MINUTE_MS - HALF_MS);
      await order(handle, 'abort');
      return result(handle);
    });
    expect(value.outcome).toBe('aborted');
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('goes to 100 % at once and keeps the old version warm', async () => {
    const allAtOnce = { ...PLAN, strategy: 'all-at-once' as const, steps: [{ weightPercent: 100, bakeTimeMs: 0 }] };
    const { fake, value } = await given({ plan: allAtOnce }, async (handle) => {
      await sleep(HALF_MS);
      expect(await status(handle)).toMatchObject({ phase: 'keepWarm' });
      return result(handle);
    });
    expect(value.outcome).toBe('promoted');
    expect(fake.weights).toEqual([100, 100]);
    const back = await given({ plan: allAtOnce, verdict: () => 'rollback' }, result);
    expect(back.value.outcome).toBe('rolledBack');
    expect(back.fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('gives the first version everything, whatever the strategy', async () => {
    const { fake, value } = await given({ champion: null }, result);
    expect(value).toMatchObject({ outcome: 'promoted', reason: 'first version of the model' });
    expect(fake.routes).toEqual([{ variant: 'champion', version: 2, weightPercent: 100 }]);
    expect(fake.aliases).toEqual({ champion: 2, candidate: null });
    expect(fake.calls).not.toContain('observe');
  });
});
