import type { Log } from '../log.ts';
import type { ServingProcess } from './fleet.ts';

/**
 * Questions in a row without an answer, asked every two seconds: about a quarter of a minute. Counted, not timed: a
 * machine that was asleep has missed one, however long it slept.
 */
const SILENCES_MAX = 8;

export interface HangWatch {
  /** It has answered. */
  heard(process: ServingProcess): void;
  /** It has not answered in time. */
  missed(process: ServingProcess): void;
}

/**
 * Kills serving processes that answer nothing any more (a loop without end, a stopped process): connections that they
 * hold would never end otherwise, and new ones would go to them. The fleet replaces what was killed.
 */
export function createHangWatch({ log }: { readonly log: Log }): HangWatch {
  const silences = new WeakMap<ServingProcess, number>();
  return {
    heard: (process) => void silences.delete(process),
    missed: (process) => {
      const count = (silences.get(process) ?? 0) + 1;
      silences.set(process, count);
      if (count < SILENCES_MAX) return;
      silences.delete(process);
      log.error({ pid: process.pid, questions: count }, 'a serving process does not answer any more; it is killed');
      process.kill('SIGKILL');
    },
  };
}
