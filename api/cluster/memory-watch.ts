import type { Log } from '../log.ts';
import { createRareLog } from '../serving/rare-log.ts';
import type { ProcessState } from './calls.ts';
import type { Fleet, ServingProcess } from './fleet.ts';

/**
 * A fresh process of the same models would soon be where this one is, unless this one has grown: no recycling before a
 * quarter on top of what it had at the beginning.
 */
const GROWTH_MIN = 1.25;
/** Between two processes: the first is warm and known to be well before the next goes. */
const PAUSE_MS = 30_000;
const LOG_EVERY_MS = 600_000;

export interface MemoryWatchDeps {
  readonly fleet: Pick<Fleet, 'recycle'>;
  /** Resident memory, MB. */
  readonly limitMb: number;
  readonly log: Log;
}

export interface MemoryWatch {
  /** What a process says of itself; begins to replace it when it has grown past the limit. */
  note(process: ServingProcess, state: Pick<ProcessState, 'pid' | 'memoryMb' | 'ready'>): void;
  /** Processes replaced since the start. */
  recycled(): number;
}

/** Replaces serving processes that grow past a limit, one at a time, without a request noticing. */
export function createMemoryWatch({ fleet, limitMb, log }: MemoryWatchDeps): MemoryWatch {
  const atFirstMb = new WeakMap<ServingProcess, number>();
  const rarely = createRareLog(LOG_EVERY_MS);
  let busy = false;
  let notBeforeMs = 0;
  let recycled = 0;

  async function recycle(process: ServingProcess, details: object): Promise<void> {
    busy = true;
    log.warn(details, 'a serving process has grown past its limit of memory; it is replaced');
    try {
      if (await fleet.recycle(process)) recycled += 1;
    } finally {
      busy = false;
      notBeforeMs = performance.now() + PAUSE_MS;
    }
  }

  return {
    note: (process, { pid, memoryMb, ready }) => {
      const firstMb = atFirstMb.get(process);
      if (firstMb === undefined) {
        // Its models are part of what it needs.
        if (ready) atFirstMb.set(process, memoryMb);
        return;
      }
      if (memoryMb <= limitMb) return;
      const details = { pid, memoryMb, firstMb, limitMb };
      if (memoryMb < firstMb * GROWTH_MIN) {
        rarely('needed', () => log.warn(details, 'a serving process needs more memory than its limit'));
        return;
      }
      if (!busy && performance.now() >= notBeforeMs) void recycle(process, details);
    },
    recycled: () => recycled,
  };
}
