/** Wait after the n-th failure in a row: doubles from the first to the last. */
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** While closing there is no point in waiting long: the process is about to end. */
const CLOSING_RETRY_MS = 100;

export interface PeriodicFlushOptions {
  readonly everyMs: number;
  readonly hasWork: () => boolean;
  /** Writes a part of the work; a rejection means it is still to be done. */
  readonly write: () => Promise<void>;
  /** Whether so much is left that the next part should not wait for the next tick. */
  readonly isUrgent: () => boolean;
  readonly onFailure: (error: unknown, retryInMs: number) => void;
}

export interface PeriodicFlush {
  /** Writes now instead of at the next tick, unless it is writing or waiting after a failure. */
  flushSoon(): void;
  /** Stops the timer and writes what is left, for `limitMs` at most. Returns whether all was written. */
  close(limitMs: number): Promise<boolean>;
}

/** Writes behind by interval, one write at a time, with backoff after failures. */
export function createPeriodicFlush(options: PeriodicFlushOptions): PeriodicFlush {
  let writing: Promise<void> | null = null;
  let failures = 0;
  let retryAtMs = 0;
  let closing = false;
  const timer = setInterval(flushSoon, options.everyMs);

  function flushSoon(): void {
    if (writing !== null || !options.hasWork() || performance.now() < retryAtMs) return;
    writing = writeAll().finally(() => {
      writing = null;
    });
  }

  async function writeAll(): Promise<void> {
    try {
      do {
        await options.write();
        failures = 0;
      } while (options.isUrgent());
    } catch (error) {
      const waitMs = closing ? CLOSING_RETRY_MS : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures);
      failures += 1;
      retryAtMs = performance.now() + waitMs;
      options.onFailure(error, waitMs);
    }
  }

  async function close(limitMs: number): Promise<boolean> {
    clearInterval(timer);
    closing = true;
    retryAtMs = 0;
    const deadline = performance.now() + limitMs;
    const leftMs = () => Math.max(0, deadline - performance.now());
    while (options.hasWork() && leftMs() > 0) {
      flushSoon();
      await atMost(writing ?? pause(Math.min(CLOSING_RETRY_MS, leftMs())), leftMs());
    }
    return !options.hasWork();
  }

  return { flushSoon, close };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function atMost(work: Promise<void>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limitMs);
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
