import { setTimeout as sleep } from 'node:timers/promises';
import { isRunning } from './identity.ts';

const POLL_MS = 25;
/** After SIGKILL the kernel only needs to get round to it. */
const AFTER_KILL_MS = 5_000;

export interface StopOptions {
  /** Signals to try in order, each with its time; SIGKILL follows by itself. */
  readonly signals: readonly { readonly signal: NodeJS.Signals; readonly graceMs: number }[];
  /** The process leads a group: whatever of the group is still there afterwards is killed. */
  readonly group?: boolean;
}

export type Stopped = 'gone' | 'alive' | NodeJS.Signals;

/**
 * Stops one process and waits until it is gone. Does nothing when the number belongs to another process by now.
 * @returns how it ended: `gone` before the first signal, the signal that worked, or `alive` when nothing did
 */
export async function stopProcess(pid: number, identity: string, options: StopOptions): Promise<Stopped> {
  const how = await signalInTurn(pid, identity, options);
  if (options.group === true && how !== 'gone' && how !== 'alive') killGroup(pid);
  return how;
}

async function signalInTurn(pid: number, identity: string, options: StopOptions): Promise<Stopped> {
  for (const { signal, graceMs } of [...options.signals, { signal: 'SIGKILL', graceMs: AFTER_KILL_MS } as const]) {
    if (!isRunning(pid, identity)) return 'gone';
    try {
      process.kill(pid, signal);
    } catch {
      return isRunning(pid, identity) ? 'alive' : 'gone';
    }
    if (await goneWithin(pid, identity, graceMs)) return signal;
  }
  return 'alive';
}

/** Kills what a group's leader left behind. Only right after the leader's end: the number may be given away later. */
export function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // Nobody left, the usual case.
  }
}

/** Waits until the process is gone. */
export async function goneWithin(pid: number, identity: string, timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (isRunning(pid, identity)) {
    if (Date.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}
