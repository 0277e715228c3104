import type { Logger } from '../adapters/logger.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import { BACKUP_SCHEDULE_ID } from '../workflows/messages.ts';
import type { VerifiedSets } from './verified-sets.ts';

/** A platform that has just begun is left to train its first model: what is lost until then is made again by a start. */
const FIRST_SET_AFTER_MS = 5 * 60_000;

export interface FirstSetOptions {
  readonly temporal: TemporalClient;
  readonly log: Logger;
  readonly verifiedSets: () => Promise<ReadonlyMap<string, Pick<VerifiedSets, 'newestMs' | 'problem'>>>;
  readonly afterMs?: number;
}

/**
 * Has a set made soon where a target has none, instead of in the first night: the log that is shipped meanwhile leads
 * nowhere without one. A schedule that a person has paused is left alone.
 */
export function takeFirstSet(options: FirstSetOptions, stopped: AbortSignal): void {
  const { log, afterMs = FIRST_SET_AFTER_MS } = options;
  const timer = setTimeout(() => {
    take(options).catch((error: unknown) => {
      log.warn({ err: error }, 'the first backup could not be started: the next one is made by the schedule');
    });
  }, afterMs);
  timer.unref();
  stopped.addEventListener('abort', () => clearTimeout(timer));
}

async function take({ temporal, log, verifiedSets }: FirstSetOptions): Promise<void> {
  const targets = [...(await verifiedSets()).values()];
  if (!targets.some(({ newestMs, problem }) => newestMs === null && problem === null)) return;
  await temporal.call(async (client) => {
    const handle = client.schedule.getHandle(BACKUP_SCHEDULE_ID);
    const { state } = await handle.describe();
    if (state.paused) return;
    await handle.trigger();
    log.info({}, 'a target has no verified set yet: the first one is made now');
  });
}
