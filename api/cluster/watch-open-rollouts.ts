import type { Registry } from '../../db/ports.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Log } from '../log.ts';

/** Snapshots are written at each look of a rollout, every few seconds at most. */
const READ_EVERY_MS = 4_000;
/** Newest rollouts among which the open ones are: one per model. */
const RECENT_MAX = 500;

export interface OpenRollouts {
  /** As recorded last; empty before the first reading. */
  snapshots(): readonly RolloutSnapshot[];
  close(): void;
}

export interface OpenRolloutsDeps {
  readonly rollouts: Pick<Registry['rollouts'], 'list'>;
  readonly log: Log;
  readonly everyMs?: number;
}

/** Reads what the open rollouts last recorded, for the metrics: scrapes never wait for the database. */
export function watchOpenRollouts({ rollouts, log, everyMs = READ_EVERY_MS }: OpenRolloutsDeps): OpenRollouts {
  let latest: readonly RolloutSnapshot[] = [];
  let reading = false;
  let failing = false;
  const read = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    try {
      const rows = await rollouts.list({ limit: RECENT_MAX });
      latest = rows.flatMap((r) => (r.finishedAt === null && r.snapshot !== null ? [r.snapshot] : []));
      failing = false;
    } catch (error) {
      // Better no numbers than old ones: nobody alerts on a rollout that may have ended.
      latest = [];
      if (!failing) log.warn({ err: error }, 'open rollouts could not be read; their metrics are missing meanwhile');
      failing = true;
    } finally {
      reading = false;
    }
  };
  void read();
  const timer = setInterval(() => void read(), everyMs);
  timer.unref();
  return { snapshots: () => latest, close: () => clearInterval(timer) };
}
