import { spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
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
 * a release (this process was killed), it stops what it was told to keep, in order. Messages, and the end, wait in the
 * pipe until it reads (an IPC channel would drop them): nobody has to wait for it.
 */
export function startKeeper(logFile: string): Keeper {
  const log = openLog(logFile);
  const child = spawn(process.execPath, nodeProgram(siblingModule('./keeper.ts', import.meta.url)), {
    detached: true,
    stdio: ['pipe', log, log],
  });
  closeSync(log);
  // Without it, what a kill leaves is stopped by the next start.
  child.on('error', () => undefined);
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  const send = (message: KeeperMessage): void => void child.stdin?.write(`${JSON.stringify(message)}\n`);
  // A keeper that was killed reads no more.
  child.stdin?.on('error', () => undefined);
  // It must not hold this process: at its end the pipe closes and the keeper leaves by itself.
  child.unref();
  if (child.stdin instanceof Socket) child.stdin.unref();
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
