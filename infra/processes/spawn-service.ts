import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { processIdentity } from './identity.ts';
import type { ProcessWatcher } from './keeper-client.ts';
import { logSize, openLog } from './log-file.ts';
import { readPidFile, removePidFile, writePidFile } from './pid-file.ts';
import { killGroup, stopProcess, type StopOptions } from './stop.ts';

export interface ServiceSpec {
  /** Short name: of the log, of the pid file, in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Runs as another user; only root can. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly logFile: string;
  readonly runDir: string;
  readonly stop: StopOptions;
  /** Position in the order of stopping: lower stops earlier. */
  readonly stopOrder: number;
  readonly keeper: ProcessWatcher | null;
  /** Opens an IPC channel to the process. */
  readonly ipc?: boolean;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
  readonly child: ChildProcess;
  readonly logFile: string;
  /** Length of the log when the process started. */
  readonly logStart: number;
  readonly exited: Promise<Exit>;
  hasExited(): boolean;
  /** Stops it in order and waits until it is gone. */
  stop(): Promise<void>;
}

/**
 * Starts a long-running process in a process group of its own (a terminal's Ctrl-C must not reach it: the supervisor
 * stops it in order), writing to a log file, remembered in a pid file and by the keeper.
 * @throws Error when the program cannot be started
 */
export async function spawnService(spec: ServiceSpec): Promise<ServiceProcess> {
  const logStart = logSize(spec.logFile);
  const log = openLog(spec.logFile);
  let child: ChildProcess;
  try {
    child = spawn(spec.command, spec.args, {
      detached: true,
      env: spec.env,
      stdio: spec.ipc === true ? ['ignore', log, log, 'ipc'] : ['ignore', log, log],
      ...(spec.cwd === undefined ? {} : { cwd: spec.cwd }),
      ...(spec.user ?? {}),
    });
    await once(child, 'spawn');
  } finally {
    closeSync(log);
  }
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${spec.name}: ${spec.command} could not be started`);
  let ended = false;
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => {
      ended = true;
      spec.keeper?.forget(pid);
      if (spec.stop.group === true) killGroup(pid);
      if (readPidFile(spec.runDir, spec.name)?.pid === pid) removePidFile(spec.runDir, spec.name);
      resolve({ code, signal });
    });
  });
  // A send to a process that has just died is no news: its exit is.
  child.on('error', () => undefined);
  const identity = processIdentity(pid) ?? 'gone';
  writePidFile(spec.runDir, { name: spec.name, pid, identity });
  spec.keeper?.keep({ name: spec.name, pid, identity, order: spec.stopOrder, stop: spec.stop });
  return {
    name: spec.name,
    pid,
    identity,
    child,
    logFile: spec.logFile,
    logStart,
    exited,
    hasExited: () => ended,
    async stop() {
      if ((await stopProcess(pid, identity, spec.stop)) !== 'alive') await exited;
    },
  };
}
