import { chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import type { SystemUser } from '../../infra/embedded/postgres-user.ts';
import { startKeeper, type Keeper } from '../../infra/processes/keeper-client.ts';
import { stopLeftOver } from '../../infra/processes/pid-file.ts';
import { spawnService, type ServiceProcess } from '../../infra/processes/spawn-service.ts';
import type { StopOptions } from '../../infra/processes/stop.ts';

const NAME = 'postgres';
const STOP: StopOptions = {
  signals: [
    { signal: 'SIGINT', graceMs: 20_000 },
    { signal: 'SIGQUIT', graceMs: 5_000 },
  ],
};

const SOCKET_FOLDER = 'sluice-pg-';

const runDirOf = (scratchDir: string): string => join(scratchDir, 'run');

export interface ScratchServer {
  /** Of the server itself. */
  readonly program: string;
  readonly user: SystemUser | null;
  readonly dataDir: string;
  /** For its log and its number; a killed run leaves it. */
  readonly scratchDir: string;
  readonly settingsFile: string;
}

let shared: { readonly keeper: Keeper; users: number } | null = null;

/** One keeper for all servers of this process: it begins with the first of them and is let go with the last. */
function shareKeeper(logFile: string): { readonly keeper: Keeper; readonly release: () => void } {
  const mine = (shared ??= { keeper: startKeeper(logFile), users: 0 });
  mine.users += 1;
  return {
    keeper: mine.keeper,
    release: () => {
      mine.users -= 1;
      if (mine.users > 0) return;
      if (shared === mine) shared = null;
      void mine.keeper.release();
    },
  };
}

/**
 * Starts a server on restored files, beside the platform's own and known to nobody else. Resolves before it answers.
 * When this process is killed, a keeper stops the server; its files are for whoever comes next to remove.
 */
export async function spawnScratchServer(server: ScratchServer): Promise<ServiceProcess> {
  const { program, user, dataDir, scratchDir, settingsFile } = server;
  const { keeper, release } = shareKeeper(join(scratchDir, 'keeper.log'));
  try {
    const started = await spawnService({
      name: NAME,
      command: program,
      args: ['-D', dataDir, '-c', `config_file=${settingsFile}`],
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      cwd: '/',
      user: user ?? undefined,
      logFile: join(scratchDir, 'postgres.log'),
      runDir: runDirOf(scratchDir),
      stop: STOP,
      stopOrder: 0,
      keeper,
    });
    void started.exited.then(release);
    return started;
  } catch (error) {
    release();
    throw error;
  }
}

/** A folder for the server's socket, which nobody else on the machine can enter; written down for `stopScratchServer`. */
export function makeSocketFolder(scratchDir: string, user: SystemUser | null): string {
  const folder = mkdtempSync(join(tmpdir(), SOCKET_FOLDER));
  if (user !== null) chownSync(folder, user.uid, user.gid);
  mkdirSync(scratchDir, { recursive: true, mode: 0o711 });
  writeFileSync(noteOf(scratchDir), folder);
  return folder;
}

/** `null` for what is not such a folder: PostgreSQL's user may write where the note is. */
function readSocketFolder(scratchDir: string): string | null {
  try {
    const folder = readFileSync(noteOf(scratchDir), 'utf8');
    return dirname(folder) === tmpdir() && basename(folder).startsWith(SOCKET_FOLDER) ? folder : null;
  } catch {
    return null;
  }
}

const noteOf = (scratchDir: string): string => join(scratchDir, 'socket-folder');

/** Stops the server that a killed run left in this folder, if there is one, and removes the folder of its socket. */
export async function stopScratchServer(scratchDir: string): Promise<void> {
  await stopLeftOver(runDirOf(scratchDir), NAME, { ...STOP, group: true });
  const folder = readSocketFolder(scratchDir);
  if (folder !== null) rmSync(folder, { recursive: true, force: true });
}
