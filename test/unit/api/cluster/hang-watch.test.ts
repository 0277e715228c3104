import { describe, expect, it, vi } from 'vitest';
import type { ServingProcess } from '../../../../api/cluster/fleet.ts';
import { createHangWatch } from '../../../../api/cluster/hang-watch.ts';

const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };

function watching() {
  const kill = vi.fn();
  const process = { pid: 7, kill } as unknown as ServingProcess;
  const watch = createHangWatch({ log });
  const miss = (times: number, which = process): void => {
    for (let i = 0; i < times; i += 1) watch.missed(which);
  };
  return { watch, process, kill, miss };
}

describe('a serving process that does not answer', () => {
  it('is killed at the eighth question in a row, with a word in the log, and not before', () => {
    const { kill, miss } = watching();
    miss(7);
    expect(kill).not.toHaveBeenCalled();
    miss(1);
    expect(kill).toHaveBeenCalledExactlyOnceWith('SIGKILL');
    expect(log.error).toHaveBeenCalledExactlyOnceWith({ pid: 7, questions: 8 }, expect.stringContaining('killed'));
  });

  it('is forgiven when it answers once in between', () => {
    const { watch, process, kill, miss } = watching();
    miss(7);
    watch.heard(process);
    miss(7);
    expect(kill).not.toHaveBeenCalled();
  });

  it('is counted for itself alone', () => {
    const { kill, miss } = watching();
    miss(7);
    miss(7, { pid: 8, kill: vi.fn() } as unknown as ServingProcess);
    expect(kill).not.toHaveBeenCalled();
  });
});
