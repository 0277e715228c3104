import { chownSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { postgresPrograms } from '../../infra/embedded/postgres-programs.ts';
import { postgresUser, type SystemUser } from '../../infra/embedded/postgres-user.ts';
import { logTail } from '../../infra/processes/log-file.ts';
import type { ServiceProcess } from '../../infra/processes/spawn-service.ts';
import { parseLsn, type Lsn } from '../postgres/lsn.ts';
import { makeSocketFolder, spawnScratchServer, stopScratchServer } from '../postgres/scratch-server.ts';

const SOCKET_PORT = 5432;
/** Until the copied files are consistent: the log of one base backup. */
const START_TIMEOUT_MS = 600_000;
const POLL_MS = 50;
const LOG_LINES = 12;
/** How soon log that arrived is replayed. */
const RETRY_MS = 200;
const PROMOTE_TIMEOUT_S = 60;

export interface StandbyServer {
  /** Address for programs of this user on this machine, without a password. */
  readonly databaseUrl: string;
  /** `null`: it writes itself, on the timeline named. */
  replayed(): Promise<{ readonly lsn: Lsn; readonly lastCommitMs: number | null } | null>;
  /** Ends the recovery after everything that is there was replayed. Again: nothing. */
  promote(): Promise<void>;
  hasExited(): boolean;
  stop(): Promise<void>;
}

export interface StandbyPlace {
  readonly dataDir: string;
  /** For log, settings and number of the process. */
  readonly scratchDir: string;
  readonly databaseUser: string;
  readonly database: string;
}

/**
 * Starts a server that replays the log that is put into its `pg_wal`, and may be asked meanwhile. One that an earlier
 * process left is stopped first. After it was promoted, it starts as a server that writes.
 * @throws DomainError `artefactCorrupt` with the end of the server's log
 */
export async function startStandbyServer(place: StandbyPlace, signal: AbortSignal): Promise<StandbyServer> {
  const { scratchDir, dataDir } = place;
  const user = postgresUser();
  await stopScratchServer(scratchDir);
  mkdirSync(scratchDir, { recursive: true, mode: 0o711 });
  const programs = postgresPrograms(user, scratchDir, () => undefined);
  const socketDir = makeSocketFolder(scratchDir, user);
  const settings = writeSettings(place, socketDir, user);
  const program = programs.postgres;
  const server = await spawnScratchServer({ program, user, dataDir, scratchDir, settingsFile: settings });
  const databaseUrl = addressOf(place, socketDir);
  const stop = async (): Promise<void> => {
    await server.stop();
    rmSync(socketDir, { recursive: true, force: true });
  };
  try {
    await untilAnswers(server, databaseUrl, signal);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    databaseUrl,
    replayed: () => ask(databaseUrl, readReplayed),
    promote: () =>
      ask(databaseUrl, async (client) => {
        if ((await readReplayed(client)) === null) return;
        const { rows } = await client.query<{ ok: boolean }>(`select pg_promote(true, ${PROMOTE_TIMEOUT_S}) as ok`);
        if (rows[0]?.ok !== true)
          throw new DomainError('unavailable', `The standby was not promoted within ${PROMOTE_TIMEOUT_S} s`);
      }),
    hasExited: () => server.hasExited(),
    stop,
  };
}

/** From now on the folder's server waits for log instead of writing. */
export function makeStandby(dataDir: string): void {
  const user = postgresUser();
  const file = join(dataDir, 'standby.signal');
  writeFileSync(file, '', { mode: 0o600 });
  if (user !== null) chownSync(file, user.uid, user.gid);
}

function writeSettings({ scratchDir }: StandbyPlace, socketDir: string, user: SystemUser | null): string {
  const [conf, hba] = [join(scratchDir, 'postgresql.conf'), join(scratchDir, 'pg_hba.conf')];
  const values: Record<string, string> = {
    hba_file: hba,
    listen_addresses: '',
    unix_socket_directories: socketDir,
    port: String(SOCKET_PORT),
    hot_standby: 'on',
    // A standby that is asked needs room for as much as its primary has.
    max_connections: '500',
    max_worker_processes: '64',
    max_wal_senders: '64',
    max_prepared_transactions: '64',
    max_locks_per_transaction: '256',
    shared_buffers: '64MB',
    wal_retrieve_retry_interval: `${RETRY_MS}ms`,
    // Log is put in place by its name: a used file under a future name would be in the way.
    wal_recycle: 'off',
    max_standby_archive_delay: '5s',
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    autovacuum: 'off',
  };
  const lines = Object.entries(values).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  writeFileSync(conf, `${lines.join('\n')}\n`, { mode: 0o644 });
  // The socket's folder lets PostgreSQL's user and root in, nobody else.
  writeFileSync(hba, 'local all all trust\n', { mode: 0o644 });
  if (user !== null) for (const path of [conf, hba, scratchDir]) chownSync(path, user.uid, user.gid);
  return conf;
}

function addressOf({ databaseUser, database }: StandbyPlace, socketDir: string): string {
  const where = `host=${encodeURIComponent(socketDir)}&port=${String(SOCKET_PORT)}`;
  return `postgres://${encodeURIComponent(databaseUser)}@/${encodeURIComponent(database)}?${where}`;
}

async function untilAnswers(server: ServiceProcess, databaseUrl: string, signal: AbortSignal): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    if (server.hasExited()) {
      const tail = logTail(server.logFile, LOG_LINES, server.logStart);
      throw new DomainError('artefactCorrupt', `The standby does not start:\n${tail}`);
    }
    if (Date.now() > deadline) throw new DomainError('unavailable', 'The standby does not get ready');
    if (
      await ask(databaseUrl, readReplayed).then(
        () => true,
        () => false,
      )
    )
      return;
    await sleep(POLL_MS);
  }
}

async function readReplayed(client: Client) {
  const { rows } = await client.query<{ standby: boolean; lsn: string | null; at_ms: number | null }>(`
    select pg_is_in_recovery() as standby, pg_last_wal_replay_lsn()::text as lsn,
      (extract(epoch from pg_last_xact_replay_timestamp()) * 1000)::float8 as at_ms`);
  const row = rows[0];
  if (row?.standby !== true) return null;
  return { lsn: parseLsn(row.lsn ?? '0/0'), lastCommitMs: row.at_ms };
}

async function ask<T>(databaseUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    query_timeout: (PROMOTE_TIMEOUT_S + 5) * 1_000,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError('unavailable', `The standby does not answer: ${(error as Error).message}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}
