import { beforeEach, describe, expect, it, vi } from 'vitest';
import { createRecordLosses } from '../../../../api/cluster/record-losses.ts';

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const state = (spilled: number, dropped = 0, queued = 0, notWritable = spilled > 0) => ({
  recordsQueued: queued,
  recordsDropped: dropped,
  journal: { spilled, notWritable },
});
beforeEach(() => vi.clearAllMocks());

describe('records that the journals of all processes could not take', () => {
  it('are added up, and stay in the sum when their process goes', () => {
    const losses = createRecordLosses(log);
    const [a, b, c] = [{}, {}, {}];
    losses.note(a, state(3));
    losses.note(b, state(4, 2));
    losses.note(a, state(5));
    expect(losses.totals()).toEqual({ spilled: 9, lost: 2 });
    losses.forget(b, { code: 0, signal: null });
    losses.note(c, state(1));
    expect(losses.totals()).toEqual({ spilled: 10, lost: 2 });
  });

  it('are lost with a process that is killed while they wait in its memory, and only then', () => {
    const losses = createRecordLosses(log);
    const [killed, ended] = [{}, {}];
    losses.note(killed, state(8, 0, 5));
    losses.note(ended, state(8, 0, 7));
    losses.forget(killed, { code: null, signal: 'SIGKILL' });
    losses.forget(ended, { code: 0, signal: null });
    losses.forget(ended, { code: 0, signal: null });
    expect(losses.totals()).toEqual({ spilled: 16, lost: 5 });
    expect(log.error).toHaveBeenCalledWith({ spilled: 16, lost: 5 }, expect.stringContaining('are lost'));
  });

  it('are told in the log once, and so is their end', () => {
    const losses = createRecordLosses(log);
    const process = {};
    losses.note(process, state(0));
    expect(log.error).not.toHaveBeenCalled();
    losses.note(process, state(2));
    losses.note(process, state(9));
    expect(log.error).toHaveBeenCalledExactlyOnceWith(expect.anything(), expect.stringContaining('wait in memory'));
    expect(log.info).not.toHaveBeenCalled();
    losses.note(process, state(9, 0, 0, false));
    losses.note(process, state(9, 0, 0, false));
    expect(log.info).toHaveBeenCalledExactlyOnceWith({ spilled: 9, lost: 0 }, expect.stringContaining('written again'));
  });
});
