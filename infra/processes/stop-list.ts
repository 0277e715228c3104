import { goneWithin, stopProcess, type StopOptions, type Stopped } from './stop.ts';

export interface KeptProcess {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
  /** Lower stops earlier; equal ones together. */
  readonly order: number;
  readonly stop: StopOptions;
}

export interface StopListOptions {
  /** How long a process may take to leave by itself before it is told to. */
  readonly byItselfMs?: number;
  readonly onStop?: (kept: KeptProcess) => void;
  readonly onStopped?: (kept: KeptProcess, how: Stopped) => void;
}

export interface StopList {
  keep(kept: KeptProcess): void;
  forget(pid: number): void;
  /** Stops everything in order; what is started later is stopped at once. */
  stopAll(options?: StopListOptions): Promise<void>;
}

/** What runs, and in which order it has to stop. */
export function createStopList(): StopList {
  const list = new Map<number, KeptProcess>();
  const late: Promise<unknown>[] = [];
  let stopping = false;

  async function stopOne(kept: KeptProcess, options: StopListOptions): Promise<void> {
    const byItselfMs = options.byItselfMs ?? 0;
    if (byItselfMs > 0 && (await goneWithin(kept.pid, kept.identity, byItselfMs))) {
      options.onStopped?.(kept, 'gone');
      return;
    }
    options.onStop?.(kept);
    const how = await stopProcess(kept.pid, kept.identity, kept.stop);
    options.onStopped?.(kept, how);
  }

  return {
    keep(kept) {
      if (stopping) late.push(stopProcess(kept.pid, kept.identity, kept.stop));
      else list.set(kept.pid, kept);
    },
    forget: (pid) => void list.delete(pid),
    async stopAll(options = {}) {
      stopping = true;
      const orders = [...new Set([...list.values()].map((k) => k.order))].sort((a, b) => a - b);
      for (const order of orders)
        await Promise.all([...list.values()].filter((k) => k.order === order).map((k) => stopOne(k, options)));
      await Promise.all(late);
    },
  };
}
