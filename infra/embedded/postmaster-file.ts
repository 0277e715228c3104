import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { commandLine, processIdentity } from '../processes/identity.ts';
import { stopProcess, type StopOptions } from '../processes/stop.ts';

/** Long enough for init to collect a killed server, and for its backends to see its end and leave. */
const COLLECT_MS = 2_000;
const POLL_MS = 50;

/**
 * Settles a `postmaster.pid` of an earlier start. The server itself clears one whose process is gone, but refuses to
 * start when the number belongs to some other process by now (usual in containers), to a killed server that nobody has
 * collected yet, or to a server that lost its supervisor before it was written down.
 * @throws Error when a server that holds the data directory does not end
 */
export async function clearPostmasterFile(
  dataDir: string,
  stop: StopOptions,
  say: (line: string) => void,
): Promise<void> {
  const file = join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Math.abs(Number.parseInt(readFileSync(file, 'utf8'), 10));
  if (!Number.isInteger(pid) || pid === 0 || !(await holdsNumber(pid))) return;
  const identity = processIdentity(pid);
  if (identity !== null && commandLine(pid).includes(`-D ${dataDir}`)) {
    say(`stopping PostgreSQL ${String(pid)}, left over from an earlier start`);
    if ((await stopProcess(pid, identity, stop)) === 'alive')
      throw new Error(`PostgreSQL ${String(pid)} holds ${dataDir} and does not end; stop it by hand`);
    if (!(await holdsNumber(pid))) return;
  }
  say(`removing a stale postmaster.pid: process ${String(pid)} is not its server any more`);
  rmSync(file, { force: true });
}

/** Whether the number is taken, by a process or by what is left of one. */
async function holdsNumber(pid: number): Promise<boolean> {
  const deadline = Date.now() + COLLECT_MS;
  for (;;) {
    if (!isTaken(pid)) return false;
    if (processIdentity(pid) !== null || Date.now() > deadline) return true;
    await sleep(POLL_MS);
  }
}

function isTaken(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
