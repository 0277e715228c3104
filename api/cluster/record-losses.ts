import type { Log } from '../log.ts';
import { createRareLog } from '../serving/rare-log.ts';
import type { ProcessState } from './calls.ts';
import type { Exit } from './fleet.ts';

/** One line a minute of each kind says what goes on. */
const LOG_EVERY_MS = 60_000;

/** Of all processes since the start, those that are gone included. */
export interface Losses {
  /** Records that a journal could not take: they went to the memory of their process. */
  readonly spilled: number;
  /**
   * Of these, given up: the memory was full, or the process was killed with them. For the latter the number at the last
   * look counts.
   */
  readonly lost: number;
}

type Known = Pick<ProcessState, 'recordsQueued' | 'recordsDropped' | 'journal'>;

export interface RecordLosses {
  /** What a process says of itself. */
  note(process: object, state: Known): void;
  /** The process is gone; its counts stay. */
  forget(process: object, exit: Exit): void;
  totals(): Losses;
}

/** Adds up what the processes could not journal, and alarms. A process that dies takes no count with it. */
export function createRecordLosses(log: Log): RecordLosses {
  const known = new Map<object, Known>();
  const rarely = createRareLog(LOG_EVERY_MS);
  const gone = { spilled: 0, lost: 0 };
  let alarmed: Losses = { spilled: 0, lost: 0 };
  let failing = false;

  function totals(): Losses {
    let { spilled, lost } = gone;
    for (const { journal, recordsDropped } of known.values()) {
      spilled += journal?.spilled ?? 0;
      lost += recordsDropped;
    }
    return { spilled, lost };
  }

  function alarm(): void {
    const { spilled, lost } = totals();
    if (lost > alarmed.lost) {
      rarely('lost', () => log.error({ lost, spilled }, 'prediction records are lost: the answers were given'));
    }
    if (spilled > alarmed.spilled) {
      rarely('spilled', () => log.error({ spilled, lost }, 'prediction records wait in memory, not in the journal'));
    }
    alarmed = { spilled, lost };
    const isFailing = [...known.values()].some(({ journal }) => journal?.notWritable === true);
    if (failing && !isFailing) log.info({ spilled, lost }, 'the journals of all processes can be written again');
    failing = isFailing;
  }

  return {
    note: (process, state) => {
      known.set(process, state);
      alarm();
    },
    forget: (process, { code }) => {
      const last = known.get(process);
      if (last === undefined) return;
      known.delete(process);
      gone.spilled += last.journal?.spilled ?? 0;
      // One that ended in order has written what it had.
      gone.lost += last.recordsDropped + (code === 0 ? 0 : last.recordsQueued);
      alarm();
    },
    totals,
  };
}
