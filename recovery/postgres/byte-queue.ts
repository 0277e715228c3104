import type { Readable } from 'node:stream';

/** Socket reading stops above, and goes on below half of it: memory per stream stays here. */
const QUEUED_BYTES_MAX = 4 * 1024 * 1024;

export interface ByteQueue<T> {
  push(item: T, bytes: number): void;
  end(error?: Error): void;
  /** The next item, `null` at the end. @throws what `end` was given */
  take(): Promise<T | null>;
}

/** Carries what a socket pushes to a reader that pulls; holds the socket back while the reader is slow. */
export function createByteQueue<T>(socket: Pick<Readable, 'pause' | 'resume'>): ByteQueue<T> {
  const items: { item: T; bytes: number }[] = [];
  let queued = 0;
  let ended = false;
  let failure: Error | null = null;
  let wake: (() => void) | null = null;
  const notify = (): void => {
    wake?.();
    wake = null;
  };
  return {
    push(item, bytes) {
      items.push({ item, bytes });
      queued += bytes;
      if (queued > QUEUED_BYTES_MAX) socket.pause();
      notify();
    },
    end(error) {
      ended = true;
      failure ??= error ?? null;
      notify();
    },
    async take() {
      for (;;) {
        const first = items.shift();
        if (first !== undefined) {
          queued -= first.bytes;
          if (queued < QUEUED_BYTES_MAX / 2) socket.resume();
          return first.item;
        }
        if (failure !== null) throw failure;
        if (ended) return null;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
