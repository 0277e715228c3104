/** How the process ends: on SIGTERM, on Ctrl-C, or when its supervisor is gone. */
import type { Log } from './log.ts';

/** The supervisor waits 15 s before it kills: what is not done by then would be lost either way. */
const SHUTDOWN_LIMIT_MS = 14_000;

/**
 * Runs `shutDown` once, at the first request to stop, and ends the process after it.
 * @param shutDown must leave nothing behind; its failure makes the exit code 1
 */
export function onStop(log: Log, shutDown: () => Promise<void>): void {
  let stopping = false;
  const stop = (reason: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ reason }, 'stopping');
    const limit = setTimeout(() => {
      log.error({ limitMs: SHUTDOWN_LIMIT_MS }, 'not stopped in time');
      process.exit(1);
    }, SHUTDOWN_LIMIT_MS);
    shutDown().then(
      () => {
        clearTimeout(limit);
        log.info({}, 'stopped');
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopping failed');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('disconnect', () => stop('the supervisor is gone'));
}

/** A defect leaves the process in an unknown state: it says so and ends, and its supervisor starts another. */
export function onDefect(log: Log): void {
  const die = (error: unknown): void => {
    log.error({ err: error }, 'unexpected failure');
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
}
