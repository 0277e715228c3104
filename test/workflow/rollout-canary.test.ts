import { describe, expect, it } from 'vitest';
import { CHAMPION_ALONE, MINUTE_MS, order, result, rolloutStories, status, HALF_MS } from './rollout-story.ts';

const { given, sleep } = rolloutStories();

describe('a canary', () => {
  it('goes through every step, is kept warm, and is promoted', async () => {
    const { fake, value } = await given({}, result);
    expect(value).toMatchObject({ model: 'prices', version: 2, outcome: 'promoted' });
    expect(fake.weights).toEqual([5, 25, 100, 100]);
    expect(fake.routes).toEqual([{ variant: 'champion', version: 2, weightPercent: 100 }]);
    expect(fake.aliases).toEqual({ champion: 2, previous: 1, candidate: null });
    expect(fake.closed).toMatchObject({ snapshot: { phase: 'promoted' } });
  });

  it.each([5, 25, 100])('rolls back by verdict at %i %%', async (weight) => {
    const { fake, value } = await given({ verdict: (w) => (w === weight ? 'rollback' : 'healthy') }, result);
    expect(value).toMatchObject({ outcome: 'rolledBack', reason: 'too many errors' });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.weights.slice(0, -1)).toEqual([5, 25, 100].filter((w) => w <= weight));
    expect(fake.aliases).toMatchObject({ champion: 1, candidate: null });
    expect(fake.closed).toMatchObject({ snapshot: { phase: 'rolledBack' }, reason: 'too many errors' });
  });

  it.each([
    ['abort', 0, 'aborted', [5, 0]],
    ['abort', 11, 'aborted', [5, 25, 0]],
    ['abort', 25, 'aborted', [5, 25, 100, 0]],
    ['rollback', 0, 'rolledBack', [5, 0]],
    ['rollback', 25, 'rolledBack', [5, 25, 100, 0]],
  ] as const)('ends by hand with %s after %i minutes', async (command, minutes, outcome, weights) => {
    const { fake, value } = await given({}, async (handle) => {
      await sleep(minutes * MINUTE_MS + HALF_MS);
      const answer = await order(handle, command, { by: 'alice', reason: 'looks odd' });
      expect(answer).toMatchObject({ applied: command, status: { phase: outcome, weightPercent: 0 } });
      return result(handle);
    });
    expect(value).toMatchObject({ outcome, reason: `${command} by alice: looks odd` });
    expect(fake.weights).toEqual(weights);
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.aliases).toMatchObject({ champion: 1, candidate: null });
  });

  it('never promotes without traffic, and says what it waits for', async () => {
    const { fake } = await given({ requestsPerLook: 1 }, async (handle) => {
      await sleep(60 * MINUTE_MS + HALF_MS);
      const now = await status(handle);
      expect(now).toMatchObject({ phase: 'running', weightPercent: 5 });
      expect(now?.explanation.waitsFor).toMatch(/^traffic: (59|60) of 100 requests answered by version 2$/);
      await order(handle, 'abort');
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 0]);
  });

  it('pauses and resumes with the bake clock standing still, and can be promoted by hand', async () => {
    const { fake } = await given({}, async (handle) => {
      await sleep(5 * MINUTE_MS + HALF_MS);
      expect((await order(handle, 'pause', { by: 'bob', reason: 'lunch' })).status.phase).toBe('paused');
      await sleep(60 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ phase: 'paused', weightPercent: 5, stepEndsAtMs: null });
      expect((await order(handle, 'resume')).status.phase).toBe('running');
      await sleep(4 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 5 });
      await sleep(2 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 25 });
      expect((await order(handle, 'promote')).status).toMatchObject({ phase: 'keepWarm', weightPercent: 100 });
      expect((await order(handle, 'promote')).status).toMatchObject({ phase: 'promoted' });
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 25, 100, 100]);
  });

  it('still rolls back while paused', async () => {
    let bad = false;
    const { value } = await given({ verdict: () => (bad ? 'rollback' : 'healthy') }, async (handle) => {
      await sleep(HALF_MS);
      await order(handle, 'pause');
      bad = true;
      return result(handle);
    });
    expect(value.outcome).toBe('rolledBack');
  });

  it('shows in words and search attributes where it stands', async () => {
    await given({}, async (handle) => {
      await sleep(11 * MINUTE_MS + HALF_MS);
      const now = await status(handle);
      expect(now?.explanation.now).toBe(
        "version 2 answers 25 % of the requests, compared with 25 % of the champion's (step 2 of 3)",
      );
      expect(now?.explanation.next).toContain('100 % to version 2');
      await order(handle, 'abort');
      return result(handle);
    });
  });
});
