import type { Registry } from '../../db/ports.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Log } from '../log.ts';

/** Rollouts look at their counters this often unless told otherwise. */
const READ_EVERY_MS = 4_000;
/** Rollouts asked for their state at one reading; more are shown as they were at their last change. */
const ASKED_MAX = 50;
/** Newest rollouts among which the open ones are: one per model. */
const RECENT_MAX = 500;

export interface OpenRollouts {
  /** As `GET /rollouts/{id}` shows them, at most a few seconds old; empty before the first reading. */
  snapshots(): readonly RolloutSnapshot[];
  close(): void;
}

export interface OpenRolloutsDeps {
  readonly rollouts: Pick<Registry['rollouts'], 'list'>;
  /** The live state; `null` where no worker answers, whose last recorded state will do. */
  readonly status: (model: string) => Promise<RolloutSnapshot | null>;
  readonly log: Log;
  readonly everyMs?: number;
}

/**
 * Asks the open rollouts for their state, for the metrics: scrapes wait for nobody. What is recorded of them is as old
 * as their last step.
 */
export function watchOpenRollouts({ rollouts, status, log, everyMs = READ_EVERY_MS }: OpenRolloutsDeps): OpenRollouts {
  let latest: readonly RolloutSnapshot[] = [];
  let reading = false;
  let failing = false;
  const read = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    try {
      const rows = await rollouts.list({ limit: RECENT_MAX });
      const open = rows.filter((r) => r.finishedAt === null);
      const shown = await Promise.all(
        open.map(async ({ id, model, snapshot }, i) => {
          const live = i < ASKED_MAX ? await status(model).catch(() => null) : null;
          return live?.rolloutId === id ? live : snapshot;
        }),
      );
      latest = shown.filter((s) => s !== null);
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
