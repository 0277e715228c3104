import { describe, expect, it } from 'vitest';
import type { RolloutCommandInput } from '../../workflows/messages.ts';
import {
  CHAMPION_ALONE,
  failureOf,
  order,
  refusalOf,
  result,
  rolloutStories,
  status,
  HALF_MS,
} from './rollout-story.ts';

const { environment, given, sleep } = rolloutStories();

describe('orders', () => {
  it('that expired before they could be handled are refused', async () => {
    await given({}, async (handle) => {
      await sleep(HALF_MS);
      const past = new Date((await environment().env.currentTimeMs()) - 1_000).toISOString();
      const cause = await refusalOf(order(handle, 'promote', { expiresAt: past }));
      expect(cause).toMatchObject({ type: 'refused', nonRetryable: true });
      expect(cause.message).toContain('expired');
      expect(await status(handle)).toMatchObject({ weightPercent: 5 });
      await order(handle, 'abort');
      return result(handle);
    });
  });

  it('that do not apply or make no sense are refused with the reason', async () => {
    await given({}, async (handle) => {
      await sleep(HALF_MS);
      expect((await refusalOf(order(handle, 'resume'))).message).toBe('the rollout is not paused');
      const wrong = await refusalOf(order(handle, 'pause', { byy: 'bob' } as RolloutCommandInput));
      expect(wrong).toMatchObject({ type: 'invalidInput' });
      expect(wrong.message).toContain('byy: is not a field here, did you mean by?');
      await order(handle, 'pause');
      expect((await refusalOf(order(handle, 'pause'))).message).toBe('the rollout is paused already');
      await order(handle, 'abort');
      return result(handle);
    });
  });

  it('given at the same time are dealt with one after the other', async () => {
    const { fake } = await given({}, async (handle) => {
      await sleep(HALF_MS);
      const answers = await Promise.allSettled([
        order(handle, 'abort'),
        order(handle, 'promote'),
        order(handle, 'pause'),
      ]);
      expect(answers.some((a) => a.status === 'fulfilled')).toBe(true);
      await order(handle, 'abort').catch(() => undefined);
      return result(handle);
    });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });
});

describe('a wrong input', () => {
  it.each([
    [undefined, 'input: expected one JSON object (allowed: {"model":"NAME","version":2,"strategy":"canary"})'],
    [{ model: 'prices' }, 'version: expected a whole number, found nothing (allowed: 1..2147483647)'],
    [
      { model: 'prices', version: 2, strategy: 'kanary' },
      'strategy: expected one of the names, found the text "kanary" (allowed: canary, blue-green, launch-ramp, shadow, ab, all-at-once)',
    ],
    [{ model: 'prices', version: 2, stratgy: 'canary' }, 'stratgy: is not a field here, did you mean strategy?'],
  ])('ends at once: %j', async (input, sentence) => {
    const { fake, value } = await given({}, failureOf, [input]);
    expect(value).toMatchObject({ type: 'invalidInput', nonRetryable: true });
    expect(value.message).toContain(sentence);
    expect((value.details?.[0] as { field: string }[])[0]).toHaveProperty('field');
    expect(fake.calls).toEqual([]);
  });
});
