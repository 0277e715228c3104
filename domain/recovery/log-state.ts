/** Whether the write-ahead log goes to the targets between sets; without it a platform loses what came after its newest set. */
export const LOG_STATES = ['shipped', 'refused', 'unbounded', 'failed', 'off'] as const;
export type LogState = (typeof LOG_STATES)[number];

const LOST = 'everything since the newest set would be lost';
const WHY_MISSING: Readonly<Partial<Record<LogState, string>>> = {
  refused: `the database allows this user no replication, so sets are logical copies and no log is shipped: ${LOST}. Grant REPLICATION and start again; where that cannot be, take backups more often and set SLUICE_BACKUP_LOG=off`,
  unbounded: `the log is not shipped, as the database would keep it without a bound while a target is away: ${LOST}. Set max_slot_wal_keep_size on the server, or SLUICE_BACKUP_LOG=ship`,
  failed: `shipping of the log could not begin: ${LOST}. See the worker's log, and start it again`,
};

/** Why the log is missing although nobody asked for that, and what helps; `null`: it is shipped, or not wanted. */
export function logMissing(state: LogState | null): string | null {
  return state === null ? null : (WHY_MISSING[state] ?? null);
}
