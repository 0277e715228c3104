import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TemporalClient } from '../../../adapters/temporal-client.ts';
import { takeFirstSet } from '../../../workers/first-set.ts';
import { BACKUP_SCHEDULE_ID } from '../../../workflows/messages.ts';

const MINUTE_MS = 60_000;
beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A platform whose targets have these newest sets, five minutes and a bit after its start. */
function afterStart(newest: readonly (number | string | null)[], paused = false) {
  const trigger = vi.fn(() => Promise.resolve());
  const getHandle = vi.fn(() => ({ describe: () => Promise.resolve({ state: { paused } }), trigger }));
  const call = (work: (client: unknown) => Promise<unknown>) => work({ schedule: { getHandle } });
  const temporal = { call } as unknown as TemporalClient;
  const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const targets = new Map(
    newest.map((set, i) => {
      const problem = typeof set === 'string' ? set : null;
      return [`target ${i}`, { newestMs: typeof set === 'number' ? set : null, problem }];
    }),
  );
  const stop = new AbortController();
  takeFirstSet({ temporal, log: log as never, verifiedSets: () => Promise.resolve(targets) }, stop.signal);
  return { trigger, getHandle, log, stop };
}

describe('the first backup', () => {
  it('is made five minutes after the start where a target has none', async () => {
    const { trigger, getHandle } = afterStart([1_700_000_000_000, null]);
    await vi.advanceTimersByTimeAsync(5 * MINUTE_MS - 1);
    expect(trigger).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(getHandle).toHaveBeenCalledExactlyOnceWith(BACKUP_SCHEDULE_ID);
    expect(trigger).toHaveBeenCalledTimes(1);
  });

  it.each([
    ['every target has one', [1_700_000_000_000], false],
    ['a target cannot be read, which is not the same as empty', ['no such bucket'], false],
    ['a person has paused the schedule', [null], true],
  ])('is left to the schedule when %s', async (_, newest, paused) => {
    const { trigger } = afterStart(newest, paused);
    await vi.advanceTimersByTimeAsync(6 * MINUTE_MS);
    expect(trigger).not.toHaveBeenCalled();
  });

  it('is not made by a worker that has ended before', async () => {
    const { trigger, stop } = afterStart([null]);
    stop.abort();
    await vi.advanceTimersByTimeAsync(6 * MINUTE_MS);
    expect(trigger).not.toHaveBeenCalled();
  });
});
