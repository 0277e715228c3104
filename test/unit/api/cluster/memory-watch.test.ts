import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ServingProcess } from '../../../../api/cluster/fleet.ts';
import { createMemoryWatch } from '../../../../api/cluster/memory-watch.ts';

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const processOf = (pid: number) => ({ pid }) as ServingProcess;
const LIMIT_MB = 500;

function watching() {
  let finish: (replaced: boolean) => void = () => undefined;
  const recycle = vi.fn<(process: ServingProcess) => Promise<boolean>>(
    () => new Promise((resolve) => (finish = resolve)),
  );
  const watch = createMemoryWatch({ fleet: { recycle }, limitMb: LIMIT_MB, log });
  const say = (process: ServingProcess, memoryMb: number, ready = true): void =>
    watch.note(process, { pid: process.pid, memoryMb, ready });
  return { watch, recycle, say, finish: (replaced = true) => finish(replaced) };
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('a serving process that grows', () => {
  it('is replaced above the limit, and not at it', () => {
    const { recycle, say } = watching();
    const process = processOf(1);
    for (const memoryMb of [100, 300, LIMIT_MB]) say(process, memoryMb);
    expect(recycle).not.toHaveBeenCalled();
    say(process, LIMIT_MB + 1);
    expect(recycle).toHaveBeenCalledExactlyOnceWith(process);
  });

  it('is left alone when it needs that much from its start, models and all', () => {
    const { recycle, say } = watching();
    const process = processOf(1);
    say(process, 90, false);
    say(process, 600);
    say(process, 700);
    expect(recycle).not.toHaveBeenCalled();
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(expect.anything(), expect.stringContaining('needs more memory'));
    say(process, 751);
    expect(recycle).toHaveBeenCalledOnce();
  });

  it('waits for its turn: one at a time, and not right after the other', async () => {
    const { watch, recycle, say, finish } = watching();
    const [a, b] = [processOf(1), processOf(2)];
    for (const process of [a, b]) say(process, 100);
    for (const process of [a, b, a, b]) say(process, 900);
    expect(recycle.mock.calls).toEqual([[a]]);
    finish();
    await settle();
    expect(watch.recycled()).toBe(1);
    say(b, 900);
    expect(recycle).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(30_001);
    say(b, 900);
    expect(recycle.mock.calls).toEqual([[a], [b]]);
    finish(false);
    await settle();
    expect(watch.recycled()).toBe(1);
  });
});
