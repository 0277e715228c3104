import { setTimeout as sleep } from 'node:timers/promises';
import type { Exit, ServiceProcess } from '../processes/spawn-service.ts';

const BACKOFF_FIRST_MS = 500;
const BACKOFF_MAX_MS = 30_000;
/** Who ran for this long is taken for well again: the next crash waits the shortest time. */
const STABLE_AFTER_MS = 60_000;

export interface Supervised {
  readonly process: ServiceProcess;
}

export interface SuperviseOptions<T extends Supervised> {
  readonly title: string;
  /** Starts it; `previous` is what ended, `null` at first. */
  readonly start: (previous: T | null) => Promise<T>;
  readonly onStarted: (started: T) => void;
  readonly say: (line: string) => void;
  /** Aborted when the platform stops. */
  readonly signal: AbortSignal;
}

/**
 * Starts a service and, from then on, starts it again whenever it ends by itself, each time waiting longer.
 * @throws what the first start throws
 */
export async function supervise<T extends Supervised>(options: SuperviseOptions<T>): Promise<T> {
  const first = await options.start(null);
  options.onStarted(first);
  void keepAlive(first, options);
  return first;
}

async function keepAlive<T extends Supervised>(first: T, options: SuperviseOptions<T>): Promise<void> {
  const { title, say, signal } = options;
  let current = first;
  let waitMs = BACKOFF_FIRST_MS;
  for (;;) {
    const startedAtMs = Date.now();
    const exit = await current.process.exited;
    if (signal.aborted) return;
    if (Date.now() - startedAtMs > STABLE_AFTER_MS) waitMs = BACKOFF_FIRST_MS;
    say(`${title} ended (${describeExit(exit)}); starting it again. Log: ${current.process.logFile}`);
    for (;;) {
      if (!(await pause(waitMs, signal))) return;
      waitMs = Math.min(waitMs * 2, BACKOFF_MAX_MS);
      try {
        current = await options.start(current);
        options.onStarted(current);
        say(`${title} runs again (process ${String(current.process.pid)})`);
        break;
      } catch (error) {
        if (isAborted(signal)) return;
        const why = error instanceof Error ? error.message : String(error);
        say(`${title} could not be started again, next try in ${String(waitMs / 1000)} s: ${why}`);
      }
    }
  }
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}

async function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  await sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
  return !isAborted(signal);
}

/** The type checker takes an earlier look at `aborted` for the last word. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;
