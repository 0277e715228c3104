import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, EXIT } from './errors.ts';
import type { Terminal } from './terminal/terminal.ts';

/** A platform that restarts is back well within this; longer is an outage and ends the waiting. */
const UNREACHABLE_MAX_MS = 60_000;

interface Watching<T> {
  readonly read: () => Promise<T>;
  /** Shows what was read; `true` ends the waiting. */
  readonly show: (value: T) => boolean;
  readonly intervalMs: number;
  readonly terminal: Terminal;
  /** What a person is told after Ctrl-C: that it goes on, and how to look again. */
  readonly onInterrupt: string;
}

/**
 * Reads and shows again and again until `show` says it is over. A platform that is away for a moment is waited for.
 * @throws CliError `unreachable` after a minute without an answer; `interrupted` on Ctrl-C or SIGTERM
 */
export async function watch<T>(watching: Watching<T>): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal);
  try {
    return await poll(watching, interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    throw new CliError(EXIT.interrupted, 'interrupted', 'Stopped watching', { hint: watching.onInterrupt });
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
  }
}

async function poll<T>(watching: Watching<T>, signal: AbortSignal): Promise<T> {
  let awaySinceMs: number | null = null;
  for (;;) {
    signal.throwIfAborted();
    try {
      const value = await watching.read();
      awaySinceMs = null;
      if (watching.show(value)) return value;
    } catch (error) {
      if (!(error instanceof CliError) || error.exitCode !== EXIT.unreachable) throw error;
      if (awaySinceMs === null) {
        awaySinceMs = Date.now();
        watching.terminal.settle();
        watching.terminal.note(`${error.message}; trying again for ${UNREACHABLE_MAX_MS / 1000} s`);
      }
      if (Date.now() - awaySinceMs > UNREACHABLE_MAX_MS) throw error;
    }
    await sleep(watching.intervalMs, undefined, { signal });
  }
}
