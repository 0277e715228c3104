/** A PostgreSQL server that may be frozen, killed and started again: nobody else uses it. */
import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../db/migrate.ts';
import { startPostgres } from '../../infra/embedded/postgres.ts';
import { startKeeper } from '../../infra/processes/keeper-client.ts';

export interface FaultDatabase {
  readonly url: string;
  /** It hangs: connections stay, nothing is answered. */
  freeze(): void;
  thaw(): void;
  /** With -9, the server and all its processes. */
  kill(): Promise<void>;
  /** On the port and the data it had. */
  start(): Promise<void>;
  remove(): Promise<void>;
}

/** Postgres gives every connection a process of its own, in a group of its own. */
function familyOf(parent: number): readonly number[] {
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const pairs = lines.map((line) => line.trim().split(/\s+/).map(Number));
  return [parent, ...pairs.flatMap(([pid = 0, of]) => (of === parent ? [pid] : []))];
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // One that has ended since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

export async function startFaultDatabase(): Promise<FaultDatabase> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-faults-pg-'));
  // The server runs as another user when this one is root: it must reach its folder.
  await chmod(home, 0o755);
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  let server = await startPostgres({ home, keeper, port: 0 });
  await migrate(server.databaseUrl);
  const { pid } = server.process;
  let family: readonly number[] = [pid];
  return {
    url: server.databaseUrl,
    freeze: () => {
      family = familyOf(server.process.pid);
      signalAll(family, 'SIGSTOP');
    },
    thaw: () => signalAll(family, 'SIGCONT'),
    kill: async () => {
      signalAll(familyOf(server.process.pid), 'SIGKILL');
      await server.process.exited;
    },
    start: async () => {
      server = await startPostgres({ home, keeper, port: server.port, portFixed: true });
    },
    remove: async () => {
      signalAll(family, 'SIGCONT');
      await server.process.stop();
      await keeper.release();
      await rm(home, { recursive: true, force: true });
    },
  };
}
