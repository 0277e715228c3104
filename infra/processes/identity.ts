import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const PS_TIMEOUT_MS = 5_000;

let bootId: string | undefined;

/**
 * What tells a process from a later one with the same number: its start time (and the boot it belongs to).
 * @returns `null` when no such process runs; a zombie does not run
 */
export function processIdentity(pid: number): string | null {
  return process.platform === 'linux' ? identityFromProc(pid) : identityFromPs(pid);
}

/** True while the very process that was recorded runs, not one that inherited its number. */
export function isRunning(pid: number, identity: string): boolean {
  return processIdentity(pid) === identity;
}

/** The command line of a process, `''` when it cannot be read. For checks before a signal, never for logs. */
export function commandLine(pid: number): string {
  try {
    if (process.platform === 'linux') return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ');
    return ps(pid, 'command=');
  } catch {
    return '';
  }
}

/** Number of the parent process, `null` when it cannot be read. */
export function parentOf(pid: number): number | null {
  try {
    const parent = process.platform === 'linux' ? statFields(pid)[1] : ps(pid, 'ppid=');
    return parent === undefined ? null : Number(parent);
  } catch {
    return null;
  }
}

function identityFromProc(pid: number): string | null {
  try {
    const fields = statFields(pid);
    const state = fields[0];
    const startTicks = fields[19];
    if (state === 'Z' || state === 'X' || startTicks === undefined) return null;
    bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8);
    return `${bootId}:${startTicks}`;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

/** Fields of /proc/PID/stat from the third on (state, ppid, ...): the second is in brackets and may hold blanks. */
function statFields(pid: number): string[] {
  const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function identityFromPs(pid: number): string | null {
  try {
    const line = ps(pid, 'stat=,lstart=');
    return line === '' || line.startsWith('Z') ? null : line.replace(/^\S+\s+/, '');
  } catch {
    return null;
  }
}

function ps(pid: number, columns: string): string {
  return execFileSync('ps', ['-o', columns, '-p', String(pid)], {
    encoding: 'utf8',
    timeout: PS_TIMEOUT_MS,
    env: { PATH: '/bin:/usr/bin', LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'ignore'],
  }).trim();
}
