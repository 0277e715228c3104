import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { freePort } from '../processes/free-port.ts';
import type { ProcessWatcher } from '../processes/keeper-client.ts';
import { goBehindServing, NICENESS } from '../processes/go-behind-serving.ts';
import { logTail } from '../processes/log-file.ts';
import { stopLeftOver } from '../processes/pid-file.ts';
import { spawnService, type ServiceProcess } from '../processes/spawn-service.ts';
import type { StopOptions } from '../processes/stop.ts';
import { clearPostmasterFile } from './postmaster-file.ts';
import { DATABASE_USER, preparePostgresCluster, type Cluster } from './postgres-cluster.ts';

const POSTGRES_PORT = 5433;
/** Recovery after a kill replays the log since the last checkpoint: seconds, minutes in the worst case. */
const START_TIMEOUT_MS = 180_000;
const POLL_MS = 50;
const LOG_LINES = 15;
/** What the server says while the children of one that was killed are still on their way out: on a busy machine, seconds. */
const ORPHANS_LEFT = 'pre-existing shared memory block';
const ORPHANS_END_MS = 10_000;
const ORPHANS_POLL_MS = 250;
const DATABASE = 'sluice';

/** SIGINT: fast shutdown, clients are cut off, data is written. SIGQUIT: at once, recovery at the next start. */
const STOP: StopOptions = {
  signals: [
    { signal: 'SIGINT', graceMs: 20_000 },
    { signal: 'SIGQUIT', graceMs: 5_000 },
  ],
};

/** For one small machine. Durability stays on: an acknowledged write survives a kill. */
const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  // No socket file to leave behind, no folder that has to exist.
  unix_socket_directories: '',
  shared_buffers: '128MB',
  effective_cache_size: '512MB',
  work_mem: '8MB',
  maintenance_work_mem: '64MB',
  max_connections: '100',
  max_wal_size: '512MB',
  // The log a target lacks waits here, by a slot per target; beyond this the slot is given up, not the disk.
  max_slot_wal_keep_size: '2GB',
  wal_compression: 'on',
  max_parallel_workers_per_gather: '0',
  password_encryption: 'scram-sha-256',
  log_timezone: 'UTC',
  timezone: 'UTC',
  lc_messages: 'C',
  log_checkpoints: 'off',
};

export interface EmbeddedPostgresOptions {
  readonly home: string;
  /** Preferred port; with `portFixed` the only one that will do. Default 5433, else a free one. */
  readonly port?: number;
  readonly portFixed?: boolean;
  readonly keeper: ProcessWatcher | null;
  readonly say?: (line: string) => void;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** Over those that every platform has. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EmbeddedPostgres {
  readonly process: ServiceProcess;
  readonly port: number;
  /** Address with the password: for child processes only, never for logs. */
  readonly databaseUrl: string;
  readonly dataDir: string;
}

/**
 * Starts the PostgreSQL of this home and waits until it answers. What an earlier, killed start left is stopped first.
 * @throws Error with the end of PostgreSQL's log
 */
export async function startPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { home } = options;
  const say = options.say ?? (() => undefined);
  const runDir = join(home, 'run');
  const left = await stopLeftOver(runDir, 'postgres', STOP);
  if (left !== null) say(`stopped PostgreSQL ${String(left)}, left over from an earlier start`);
  const cluster = await preparePostgresCluster(home, say, options.signal);
  await clearPostmasterFile(cluster.dataDir, STOP, say);
  const preferred = options.port ?? POSTGRES_PORT;
  const port = options.portFixed === true ? preferred : await freePort(preferred);
  if (port !== preferred) say(`port ${String(preferred)} is busy; PostgreSQL takes ${String(port)}`);
  const untilMs = Date.now() + ORPHANS_END_MS;
  for (;;) {
    try {
      return await launch(options, cluster, port);
    } catch (error) {
      if (!String(error).includes(ORPHANS_LEFT) || Date.now() > untilMs) throw error;
    }
    await sleep(ORPHANS_POLL_MS);
  }
}

async function launch(options: EmbeddedPostgresOptions, cluster: Cluster, port: number): Promise<EmbeddedPostgres> {
  const { home, keeper } = options;
  const runDir = join(home, 'run');
  const started = await spawnService({
    name: 'postgres',
    command: cluster.programs.postgres,
    args: ['-D', cluster.dataDir, '-p', String(port), ...settingFlags(options.settings)],
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    cwd: '/',
    user: cluster.user === null ? undefined : { uid: cluster.user.uid, gid: cluster.user.gid },
    logFile: join(home, 'logs', 'postgres.log'),
    runDir,
    stop: STOP,
    stopOrder: 3,
    keeper,
  });
  goBehindServing(started, NICENESS.database);
  try {
    const databaseUrl = await waitUntilReady(started, cluster, port, options.timeoutMs ?? START_TIMEOUT_MS);
    return { process: started, port, databaseUrl, dataDir: cluster.dataDir };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

function settingFlags(own: Readonly<Record<string, string>> = {}): string[] {
  return Object.entries({ ...SETTINGS, ...own }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function waitUntilReady(
  started: ServiceProcess,
  cluster: Cluster,
  port: number,
  timeoutMs: number,
): Promise<string> {
  const address = (database: string): string =>
    `postgres://${DATABASE_USER}:${cluster.password}@127.0.0.1:${String(port)}/${database}`;
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const sql = postgres(address('postgres'), { max: 1, connect_timeout: 5, onnotice: () => undefined });
    try {
      const found = await sql`select 1 from pg_database where datname = ${DATABASE}`;
      if (found.length === 0) await sql.unsafe(`create database ${DATABASE}`);
      return address(DATABASE);
    } catch (error) {
      if (started.hasExited()) throw failure('PostgreSQL ended while starting', started);
      if (Date.now() > deadline)
        throw failure(`PostgreSQL did not answer within ${String(timeoutMs / 1000)} s (${String(error)})`, started);
    } finally {
      await sql.end({ timeout: 1 }).catch(() => undefined);
    }
    await sleep(POLL_MS);
  }
}

function failure(what: string, started: ServiceProcess): Error {
  const tail = logTail(started.logFile, LOG_LINES, started.logStart);
  return new Error(`${what}. The end of ${started.logFile}:\n${tail}`);
}
