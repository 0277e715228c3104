import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import { isRunning, processIdentity } from '../processes/identity.ts';

export interface HomeLock {
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly identity: string;
}

const ATTEMPTS_MAX = 10;

/**
 * Takes the one lock of a home. The lock of a process that is gone is taken over.
 * @throws DomainError `conflict` naming the process that runs
 */
export function lockHome(home: string): HomeLock {
  const runDir = join(home, 'run');
  mkdirSync(runDir, { recursive: true });
  const lock = join(runDir, 'lock');
  const mine = `${lock}.${String(process.pid)}.${randomBytes(4).toString('hex')}`;
  const holder: Holder = { pid: process.pid, identity: processIdentity(process.pid) ?? '' };
  writeFileSync(mine, JSON.stringify(holder), { flush: true });
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      if (link(mine, lock)) return { release: () => release(lock, holder) };
      const found = readHolder(lock);
      if (found !== null && isRunning(found.pid, found.identity)) throw conflict(home, found.pid);
      setStaleAside(lock);
    }
  } finally {
    rmSync(mine, { force: true });
  }
  throw new DomainError('conflict', `The lock ${lock} cannot be taken`);
}

/** A hard link is made whole or not at all, and only where there is none. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Two starts may find the same stale lock: whoever moves a live one away by mistake puts it back. */
function setStaleAside(lock: string): void {
  const aside = `${lock}.stale.${randomBytes(4).toString('hex')}`;
  try {
    renameSync(lock, aside);
  } catch {
    return;
  }
  const moved = readHolder(aside);
  if (moved !== null && isRunning(moved.pid, moved.identity)) link(aside, lock);
  rmSync(aside, { force: true });
}

function release(lock: string, holder: Holder): void {
  if (readHolder(lock)?.pid === holder.pid) rmSync(lock, { force: true });
}

function readHolder(file: string): Holder | null {
  try {
    const value = JSON.parse(readFileSync(file, 'utf8')) as Partial<Holder>;
    return typeof value.pid === 'number' && typeof value.identity === 'string'
      ? { pid: value.pid, identity: value.identity }
      : null;
  } catch {
    return null;
  }
}

function conflict(home: string, pid: number): DomainError {
  return new DomainError(
    'conflict',
    `Sluice runs already on ${home}: process ${String(pid)}. Stop it with Ctrl-C or \`kill ${String(pid)}\`, ` +
      'or set SLUICE_HOME to another folder.',
  );
}
