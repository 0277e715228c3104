/** How a shipper tells a writer that is gone from one that is idle; by its own clock, which runs evenly. */

/** A writer that stood still for longer than this writes no more into the segment it had. */
export const WRITER_PAUSE_MS_MAX = 15_000;
/** A sign of life that has not moved for this long is a dead writer's: far more than a pause that writers forgive. */
const DEAD_AFTER_MS = 60_000;
/** Without the file at all: its writer closed in order, or is just making it. */
const CLOSED_AFTER_MS = 5_000;

export interface SignOfLife {
  /** `changedAtMs` of the alive file, `null` when there is none. True: nothing more will come from this writer. */
  isOver(changedAtMs: number | null, nowMs: number): boolean;
}

/** Only whether the time of change moves counts, never what it says: clocks may be wrong, or set anew. */
export function createSignOfLife(): SignOfLife {
  let last: number | null | undefined;
  let sinceMs = 0;
  return {
    isOver: (changedAtMs, nowMs) => {
      if (last === undefined || changedAtMs !== last) {
        last = changedAtMs;
        sinceMs = nowMs;
      }
      return nowMs - sinceMs >= (changedAtMs === null ? CLOSED_AFTER_MS : DEAD_AFTER_MS);
    },
  };
}
