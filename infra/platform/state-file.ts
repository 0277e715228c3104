import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a running platform tells other programs on this machine. Holds no secret. */
export interface PlatformState {
  /** The supervisor. */
  readonly pid: number;
  readonly startedAt: string;
  readonly api: { readonly url: string };
  readonly temporal: { readonly address: string; readonly namespace: string; readonly uiUrl: string | null };
  /** Port of the embedded database; `null` when DATABASE_URL names another one. */
  readonly postgres: { readonly port: number } | null;
  /** Process numbers by name, as last started. */
  readonly processes: Readonly<Record<string, number>>;
}

const fileOf = (home: string): string => join(home, 'run', 'platform.json');

export function writePlatformState(home: string, state: PlatformState): void {
  const file = fileOf(home);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.draft`, `${JSON.stringify(state, null, 2)}\n`);
  renameSync(`${file}.draft`, file);
}

export function removePlatformState(home: string): void {
  rmSync(fileOf(home), { force: true });
}
