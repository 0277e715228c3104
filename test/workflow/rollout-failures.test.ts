import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createTestWorker, withWorker } from './environment.ts';
import { broken, createFakeRollout, PLAN, unavailable } from './fake-rollout.ts';
import { CHAMPION_ALONE, failureOf, MINUTE_MS, order, result, rolloutStories, HALF_MS } from './rollout-story.ts';

const { environment, given, sleep, start } = rolloutStories();

describe('when something breaks', () => {
  it('fails with the reason when it cannot be opened', async () => {
    const fake = createFakeRollout();
    fake.fail('openRollout', () => broken('prices has no version 2'));
    const taskQueue = randomUUID();
    await withWorker(environment(), taskQueue, fake.activities, async () => {
      const handle = await start(taskQueue, [{ model: 'prices', version: 2 }]);
      expect((await failureOf(handle)).message).toBe('prices has no version 2');
    });
    expect(fake.weights).toEqual([]);
  });

  it('gives the traffic back when the counters cannot be read', async () => {
    const { fake, value } = await given({}, (handle, f) => {
      f.fail('observe', () => broken('no counters'));
      return result(handle);
    });
    expect(value).toMatchObject({ outcome: 'aborted', reason: 'it could not go on: no counters' });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
    expect(fake.closed).toMatchObject({ snapshot: { phase: 'aborted' } });
  });

  it('gives the traffic back when a step cannot be taken', async () => {
    const { fake, value } = await given({}, async (handle, f) => {
      await sleep(HALF_MS);
      f.fail('applyRouting:step', () => broken('disk full'));
      return result(handle);
    });
    expect(value).toMatchObject({ outcome: 'aborted', reason: 'the routing could not be changed: disk full' });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('tries the way back until it succeeds, however long the registry is away', async () => {
    const { fake, value } = await given({ verdict: () => 'rollback' }, async (handle, f) => {
      f.fail('applyRouting:restore', unavailable);
      await sleep(15 * MINUTE_MS);
      expect(f.closed).toBeNull();
      f.heal('applyRouting:restore');
      return result(handle);
    });
    expect(value.outcome).toBe('rolledBack');
    expect(fake.calls.filter((c) => c === 'applyRouting:restore').length).toBeGreaterThan(50);
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('leaves the routing alone when somebody else changed it', async () => {
    const { fake, value } = await given({}, async (handle, f) => {
      await sleep(HALF_MS);
      f.takeRouting();
      return result(handle);
    });
    expect(value).toMatchObject({
      outcome: 'aborted',
      reason: 'the routing was changed by someone else: generation 9',
    });
    expect(fake.weights).toEqual([5]);
    expect(fake.closed).not.toBeNull();
  });

  it('closes its row and fails when the end cannot be written', async () => {
    const { fake, value } = await given({}, async (handle, f) => {
      await sleep(HALF_MS);
      f.fail('setAliases', () => broken('no such version'));
      await order(handle, 'abort');
      return failureOf(handle);
    });
    expect(value.message).toContain('but not all of it could be written: no such version');
    expect(fake.closed).not.toBeNull();
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('is aborted by a cancellation of the workflow, at any step', async () => {
    for (const minutes of [0, 11, 25]) {
      const { fake } = await given({}, async (handle) => {
        await sleep(minutes * MINUTE_MS + HALF_MS);
        await handle.cancel();
        await expect(result(handle)).rejects.toThrow();
        expect((await handle.describe()).status.name).toBe('CANCELLED');
      });
      expect(fake.routes).toEqual(CHAMPION_ALONE);
      expect(fake.closed).toMatchObject({ reason: 'the workflow was cancelled', snapshot: { phase: 'aborted' } });
    }
  });

  it('goes on where it was when its worker dies, and every task replays the history', async () => {
    const fake = createFakeRollout({ plan: { ...PLAN, observeEveryMs: 5 * MINUTE_MS, keepWarmMs: 15 * MINUTE_MS } });
    const taskQueue = randomUUID();
    const handle = await start(taskQueue, [{ model: 'prices', version: 2 }]);
    // Without a cache of workflows, each task is answered by a worker that knows nothing but the history.
    const newWorker = () => createTestWorker(environment(), taskQueue, fake.activities, { maxCachedWorkflows: 0 });
    for (const minutes of [1, 6, 12]) await (await newWorker()).runUntil(() => sleep(minutes * MINUTE_MS));
    expect(fake.weights).toEqual([5, 25]);
    const outcome = await (await newWorker()).runUntil(() => result(handle));
    expect(outcome.outcome).toBe('promoted');
    expect(fake.weights).toEqual([5, 25, 100, 100]);
  });
});
