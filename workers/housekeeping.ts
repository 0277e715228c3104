import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../adapters/logger.ts';
import type { RecordStore } from '../db/ports.ts';

const EVERY_MS = 3_600_000;
/** Predictions find their daily partition even when no worker runs for a week. */
const PARTITION_DAYS_AHEAD = 7;
/** A training that has not touched its folder for a week is not resumed any more. */
const WORK_FOLDER_KEEP_MS = 7 * 24 * EVERY_MS;

export interface HousekeepingOptions {
  readonly records: Pick<RecordStore, 'ensurePartitions' | 'compactCounts'>;
  readonly workDir: string;
  readonly log: Logger;
}

/** Hourly chores, the first at once. Returns what stops them. */
export function startHousekeeping({ records, workDir, log }: HousekeepingOptions): () => void {
  const chore = (what: string, work: Promise<unknown>): void => {
    work.catch((error: unknown) => log.warn({ err: error }, `${what} failed, it is tried again in an hour`));
  };
  const clean = (): void => {
    chore('making partitions', records.ensurePartitions(PARTITION_DAYS_AHEAD));
    chore('merging old counters', records.compactCounts());
    chore('clearing work folders', clearWorkFolders(workDir, Date.now()));
  };
  clean();
  const timer = setInterval(clean, EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Removes the work folders of trainings that nobody resumes. `nowMs`: epoch ms. */
export async function clearWorkFolders(workDir: string, nowMs: number): Promise<void> {
  const names = await readdir(workDir).catch(() => []);
  for (const name of names) {
    const path = join(workDir, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: nowMs }));
    if (name.startsWith('train-') && nowMs - mtimeMs > WORK_FOLDER_KEEP_MS)
      await rm(path, { recursive: true, force: true });
  }
}
