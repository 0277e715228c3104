import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import type { KeeperMessage } from './keeper.ts';
import { openLog } from './log-file.ts';
import { nodeProgram, siblingModule } from './node-program.ts';
import type { KeptProcess } from './stop-list.ts';

/** Longest time the keeper may need to leave once it has nothing to do. */
const LEAVE_MS = 2_000;

/** Is told of every process that starts and ends in order. */
export interface ProcessWatcher {
  keep(process: KeptProcess): void;
  forget(pid: number): void;
}

export interface Keeper extends ProcessWatcher {
  readonly pid: number;
  /** Lets the keeper go: everything it kept has been stopped. */
  release(): Promise<void>;
}

/**
 * Starts the keeper: a small process in a group of its own that holds a pipe to this one. When the pipe closes without
 * a release (this process was killed), it stops what it was told to keep, in order.
 */
export async function startKeeper(logFile: string): Promise<Keeper> {
  const log = openLog(logFile);
  const child = spawn(process.execPath, nodeProgram(siblingModule('./keeper.ts', import.meta.url)), {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  try {
    // Its first message says that it listens: what is started before could be lost to it.
    await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error(`The keeper ended while starting; see ${logFile}`))),
    ]);
  } finally {
    closeSync(log);
  }
  child.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const send = (message: KeeperMessage): void => {
    if (child.connected) child.send(message, () => undefined);
  };
  // It must not hold this process: at its end the pipe closes and the keeper leaves by itself.
  child.unref();
  child.channel?.unref();
  return {
    pid: child.pid ?? 0,
    keep: (kept) => send({ type: 'keep', process: kept }),
    forget: (pid) => send({ type: 'forget', pid }),
    async release() {
      send({ type: 'release' });
      const timer = setTimeout(() => child.kill('SIGKILL'), LEAVE_MS);
      await gone;
      clearTimeout(timer);
    },
  };
}
