import type { Logger } from '../adapters/logger.ts';
import type { RecordStore } from '../db/ports.ts';

const EVERY_MS = 3_600_000;
/** A worker that is away for a week still leaves every day its partition; rows of later days go to the default one. */
const DAYS_AHEAD = 7;

/** Keeps the daily partitions of the predictions ahead of time. A failure is tried again with the next round. */
export function keepPartitions(records: Pick<RecordStore, 'ensurePartitions'>, log: Logger): { stop: () => void } {
  const round = (): void => {
    records.ensurePartitions(DAYS_AHEAD).catch((error: unknown) => {
      log.warn({ err: error }, 'partitions could not be created; tried again in an hour');
    });
  };
  round();
  const timer = setInterval(round, EVERY_MS);
  timer.unref();
  return { stop: () => clearInterval(timer) };
}
