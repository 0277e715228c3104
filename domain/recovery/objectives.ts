/** What is promised, and how far the present state is from it. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface RecoveryObjectives {
  /** From the order to restore until the platform is verified and ready. */
  readonly restoreTimeMaxMs: number;
  /** Acknowledged rows younger than this may be lost. */
  readonly dataLossMaxMs: number;
  /** The newest verified set is never older. */
  readonly setAgeMaxMs: number;
  readonly drillAgeMaxMs: number;
}

export const DEFAULT_OBJECTIVES: RecoveryObjectives = {
  restoreTimeMaxMs: 15 * MINUTE_MS,
  dataLossMaxMs: HOUR_MS,
  // A daily set, and half a day for a run that failed and was mended.
  setAgeMaxMs: 36 * HOUR_MS,
  // A weekly drill, and one day.
  drillAgeMaxMs: 8 * DAY_MS,
};

/** Of one target, or of the whole platform. Times are epoch ms; `null`: never yet. */
export interface RecoveryState {
  readonly nowMs: number;
  readonly newestVerifiedSetMs: number | null;
  readonly lastShippedWalMs: number | null;
  /** Whether WAL is shipped at all: a server that allows no replication has only its sets. */
  readonly walShipped: boolean;
  readonly lastGoodDrillMs: number | null;
  readonly lastDrillRestoreMs: number | null;
}

export type MissedObjective =
  | { readonly objective: 'setAge'; readonly ageMs: number | null; readonly maxMs: number }
  | { readonly objective: 'dataLoss'; readonly ageMs: number | null; readonly maxMs: number }
  | { readonly objective: 'drillAge'; readonly ageMs: number | null; readonly maxMs: number }
  | { readonly objective: 'restoreTime'; readonly ageMs: number; readonly maxMs: number };

/** Every objective that is missed now. An age of `null` means that it has never been met. */
export function missedObjectives(state: RecoveryState, objectives: RecoveryObjectives): readonly MissedObjective[] {
  const age = (atMs: number | null): number | null => (atMs === null ? null : Math.max(0, state.nowMs - atMs));
  const over = (ageMs: number | null, maxMs: number): boolean => ageMs === null || ageMs > maxMs;
  const missed: MissedObjective[] = [];
  const setAge = age(state.newestVerifiedSetMs);
  if (over(setAge, objectives.setAgeMaxMs)) {
    missed.push({ objective: 'setAge', ageMs: setAge, maxMs: objectives.setAgeMaxMs });
  }
  // Without WAL the newest set is all there is to lose by.
  const lossAge = state.walShipped ? age(state.lastShippedWalMs) : setAge;
  if (over(lossAge, objectives.dataLossMaxMs)) {
    missed.push({ objective: 'dataLoss', ageMs: lossAge, maxMs: objectives.dataLossMaxMs });
  }
  const drillAge = age(state.lastGoodDrillMs);
  if (over(drillAge, objectives.drillAgeMaxMs)) {
    missed.push({ objective: 'drillAge', ageMs: drillAge, maxMs: objectives.drillAgeMaxMs });
  }
  const restoreMs = state.lastDrillRestoreMs;
  if (restoreMs !== null && restoreMs > objectives.restoreTimeMaxMs) {
    missed.push({ objective: 'restoreTime', ageMs: restoreMs, maxMs: objectives.restoreTimeMaxMs });
  }
  return missed;
}
