import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning } from './identity.ts';
import { stopProcess, type StopOptions } from './stop.ts';

/** A started process, as remembered on disk for the next start. */
export interface ProcessRecord {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
}

const fileOf = (runDir: string, name: string): string => join(runDir, `${name}.pid.json`);

export function writePidFile(runDir: string, record: ProcessRecord): void {
  mkdirSync(runDir, { recursive: true });
  const file = fileOf(runDir, record.name);
  const draft = `${file}.${String(process.pid)}`;
  writeFileSync(draft, JSON.stringify(record));
  renameSync(draft, file);
}

export function readPidFile(runDir: string, name: string): ProcessRecord | null {
  try {
    const value: unknown = JSON.parse(readFileSync(fileOf(runDir, name), 'utf8'));
    return isRecord(value) ? value : null;
  } catch {
    return null;
  }
}

export function removePidFile(runDir: string, name: string): void {
  rmSync(fileOf(runDir, name), { force: true });
}

/**
 * Stops what an earlier, killed supervisor left running under this name, and forgets it.
 * @returns the number of the process that was stopped, `null` when there was none
 */
export async function stopLeftOver(runDir: string, name: string, options: StopOptions): Promise<number | null> {
  const record = readPidFile(runDir, name);
  if (record === null) return null;
  const running = isRunning(record.pid, record.identity);
  if (running && (await stopProcess(record.pid, record.identity, options)) === 'alive')
    throw new Error(`Process ${String(record.pid)} (${name} of an earlier start) does not end; stop it by hand`);
  removePidFile(runDir, name);
  return running ? record.pid : null;
}

function isRecord(value: unknown): value is ProcessRecord {
  if (typeof value !== 'object' || value === null) return false;
  const v = value as Partial<Record<keyof ProcessRecord, unknown>>;
  return typeof v.name === 'string' && Number.isInteger(v.pid) && typeof v.identity === 'string';
}
