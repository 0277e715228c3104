/** How the process ends: on SIGTERM, on Ctrl-C, or when its supervisor is gone. */
import { onSupervisorGone } from '../adapters/on-supervisor-gone.ts';
import type { Log } from './log.ts';

/** The supervisor waits 15 s before it kills: what is not done by then would be lost either way. */
const SHUTDOWN_LIMIT_MS = 14_000;

/** Who is not ordered to stop within this after asking for it stops by itself. */
const ORDER_LIMIT_MS = 3_000;

export interface StopOptions {
  /** Announces a signal to whoever orders the stop; absent: a signal is the order. */
  readonly ask?: () => Promise<unknown>;
}

/**
 * Runs `shutDown` once, at the first request to stop, and ends the process after it.
 * @param shutDown must leave nothing behind; its failure makes the exit code 1
 * @returns requests to stop
 */
export function onStop(log: Log, shutDown: () => Promise<void>, { ask }: StopOptions = {}): (reason: string) => void {
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
  const onSignal = (signal: string): void => {
    if (ask === undefined) stop(signal);
    else {
      ask().catch(() => stop(signal));
      setTimeout(() => stop(signal), ORDER_LIMIT_MS).unref();
    }
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  onSupervisorGone(() => stop('the supervisor is gone'));
  return stop;
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
