import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createConnectionBalance, excess } from '../../../../api/cluster/connection-balance.ts';
import type { ServingProcess } from '../../../../api/cluster/fleet.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'], now: 60_000 }));
afterEach(() => void vi.useRealTimers());

describe('what is too much for one process', () => {
  it.each([
    [32, [32, 0], 32],
    [24, [24, 8], 16],
    [100, [100, 0, 20], 90],
    [16, [16, 16], 0],
    [18, [18, 14], 0],
    [3, [3, 0], 0],
    [4, [4, 0], 4],
    [9, [9, undefined], 0],
    [9, [9], 0],
  ])('%d of %j: %d are to go', (connections, all, count) => {
    expect(excess(connections, all)).toBe(count);
  });
});

describe('the connections of the processes', () => {
  function two() {
    const ask = vi.fn(() => Promise.resolve(null));
    const full = { link: { ask } } as unknown as ServingProcess;
    const fresh = { link: { ask: vi.fn() } } as unknown as ServingProcess;
    const balance = createConnectionBalance({ fleet: { serving: () => [full, fresh] } });
    return { ask, full, fresh, balance };
  }

  it('are dealt out anew when one process has nearly all of them', () => {
    const { ask, full, fresh, balance } = two();
    balance.note(fresh, 0);
    balance.note(full, 40);
    expect(ask).toHaveBeenCalledExactlyOnceWith('shed', 40, expect.any(Number));
  });

  it('are left alone until those sent away have come back', () => {
    const { ask, full, fresh, balance } = two();
    balance.note(fresh, 0);
    balance.note(full, 40);
    vi.advanceTimersByTime(5_900);
    balance.note(full, 40);
    expect(ask).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(200);
    balance.note(full, 40);
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it('are not touched before the other process has told what it has', () => {
    const { ask, full, balance } = two();
    balance.note(full, 40);
    expect(ask).not.toHaveBeenCalled();
  });
});
