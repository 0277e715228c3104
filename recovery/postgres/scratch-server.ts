import { join } from 'node:path';
import type { SystemUser } from '../../infra/embedded/postgres-user.ts';
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

/** Starts a server on restored files, beside the platform's own and known to nobody else. Resolves before it answers. */
export function spawnScratchServer(server: ScratchServer): Promise<ServiceProcess> {
  const { program, user, dataDir, scratchDir, settingsFile } = server;
  return spawnService({
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
    keeper: null,
  });
}

/** Stops the server that a killed run left in this folder, if there is one. */
export async function stopScratchServer(scratchDir: string): Promise<void> {
  await stopLeftOver(runDirOf(scratchDir), NAME, { ...STOP, group: true });
}
