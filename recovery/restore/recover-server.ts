import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { DomainError } from '../../domain/errors.ts';
import { postgresPrograms, type PostgresPrograms } from '../../infra/embedded/postgres-programs.ts';
import { postgresUser, type SystemUser } from '../../infra/embedded/postgres-user.ts';
import { logTail } from '../../infra/processes/log-file.ts';
import type { ServiceProcess } from '../../infra/processes/spawn-service.ts';
import { formatLsn, historyName, type Lsn } from '../postgres/lsn.ts';
import { makeSocketFolder, spawnScratchServer } from '../postgres/scratch-server.ts';
import { parseHistory } from '../postgres/timelines.ts';
import type { RestorePlan } from './plan-restore.ts';

/** A file in the socket's folder, not a port: nobody else on the machine can reach a server without a password. */
const SOCKET_PORT = 5432;
/** Replaying a day of log takes minutes; a server that hangs is noticed in the end. */
const RECOVERY_TIMEOUT_MS = 3_600_000;
const POLL_MS = 50;
const LOG_LINES = 12;
const TARGET_NOT_REACHED = 'recovery ended before configured recovery target was reached';

export interface RecoveryOptions {
  /** Unpacked, and owned by PostgreSQL's user. */
  readonly dataDir: string;
  readonly walDir: string;
  /** For log, settings and number of the process. A killed run leaves it, and `sweepServer` finds it. */
  readonly scratchDir: string;
  readonly plan: Pick<RestorePlan, 'wish' | 'timeline'>;
  /** Owner of the database, which the server knows. */
  readonly databaseUser: string;
  readonly database: string;
  readonly say?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface RecoveredServer {
  /** Where recovery stopped reading. */
  readonly reachedLsn: Lsn;
  /** On which timeline. */
  readonly readTimeline: number;
  /** The one that the server writes from now on. */
  readonly timeline: number;
  /** The wished moment was later than the last change: everything there is was restored. */
  readonly ranToEnd: boolean;
  /** Address for programs of this user on this machine, without a password. */
  readonly databaseUrl: string;
  /** Stops the server in order; its data is complete then. */
  stop(): Promise<void>;
}

/**
 * Starts the server on restored files, lets it replay the log to the wish, and opens it for its owner alone.
 * @throws DomainError `artefactCorrupt` with the end of the server's log, `refused` when it never reached the wish
 */
export async function recoverServer(options: RecoveryOptions): Promise<RecoveredServer> {
  const user = postgresUser();
  const programs = postgresPrograms(user, options.scratchDir, options.say ?? (() => undefined));
  requireSameMajor(options.dataDir, programs);
  const socketDir = makeSocketFolder(options.scratchDir, user);
  const place: Place = { options, user, programs, socketDir };
  let ranToEnd = false;
  try {
    let server = await start(place, options.plan, targetSettings(options.plan));
    if (server === null) {
      // The last change is older than the wished moment: the newest state is the state at that moment.
      if (options.plan.wish.kind !== 'moment') throw neverReached(options);
      ranToEnd = true;
      server = await start(place, options.plan, {});
      if (server === null) throw neverReached(options);
    }
    const { timeline, readTimeline, reachedLsn } = readEnd(options.dataDir, await currentTimeline(place));
    const running = server;
    return {
      reachedLsn,
      readTimeline,
      timeline,
      ranToEnd,
      databaseUrl: addressOf(place),
      stop: async () => {
        await running.stop();
        rmSync(socketDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(socketDir, { recursive: true, force: true });
    throw error;
  }
}

/** Starts a server on files that need no recovery, for its owner alone; it is the caller's to stop. */
export async function serveScratch(
  options: Omit<RecoveryOptions, 'plan'>,
): Promise<Pick<RecoveredServer, 'databaseUrl' | 'stop'>> {
  const user = postgresUser();
  const programs = postgresPrograms(user, options.scratchDir, options.say ?? (() => undefined));
  const socketDir = makeSocketFolder(options.scratchDir, user);
  const place: Place = { options, user, programs, socketDir };
  const clear = (): void => rmSync(socketDir, { recursive: true, force: true });
  try {
    const server = await run(place, writeSettings(place, {}));
    if (server === null) throw new DomainError('internal', 'The new database asks for a recovery');
    const stop = (): Promise<void> => server.stop().then(clear);
    return { databaseUrl: addressOf(place), stop };
  } catch (error) {
    clear();
    throw error;
  }
}

interface Place {
  readonly options: Omit<RecoveryOptions, 'plan'>;
  readonly user: SystemUser | null;
  readonly programs: PostgresPrograms;
  readonly socketDir: string;
}

function requireSameMajor(dataDir: string, programs: PostgresPrograms): void {
  const found = readFileSync(join(dataDir, 'PG_VERSION'), 'utf8').trim();
  const mine = programs.version.split('.')[0] ?? '';
  if (found === mine) return;
  throw new DomainError('refused', `The backup is of PostgreSQL ${found}, and this platform has ${mine}`, [
    { field: 'postgres.major', message: `found ${found}`, allowed: [mine] },
  ]);
}

function targetSettings({ wish, timeline }: Pick<RestorePlan, 'wish' | 'timeline'>): Record<string, string> {
  const common = { recovery_target_action: 'promote', recovery_target_timeline: String(timeline) };
  switch (wish.kind) {
    case 'latest':
      return common;
    case 'moment':
      // What was committed in the wished millisecond is part of it.
      return { ...common, recovery_target_time: momentText(wish.atMs) };
    case 'point':
      return { ...common, recovery_target_name: wish.name };
    case 'lsn':
      return { ...common, recovery_target_lsn: formatLsn(wish.lsn) };
  }
}

/** Commits carry microseconds: the last one of the millisecond. */
function momentText(atMs: number): string {
  return new Date(atMs).toISOString().replace('T', ' ').replace('Z', '999+00');
}

/** @returns `null` when the log ended before the target */
async function start(
  place: Place,
  plan: RecoveryOptions['plan'],
  target: Record<string, string>,
): Promise<ServiceProcess | null> {
  const { options, user } = place;
  const { dataDir } = options;
  if (plan.wish.kind === 'moment' && target['recovery_target_timeline'] === undefined)
    target = { recovery_target_timeline: String(plan.timeline) };
  const settings = writeSettings(place, target);
  writeFileSync(join(dataDir, 'recovery.signal'), '', { mode: 0o600 });
  if (user !== null) chownSync(join(dataDir, 'recovery.signal'), user.uid, user.gid);
  return run(place, settings);
}

async function run(place: Place, settings: string): Promise<ServiceProcess | null> {
  const { options, user, programs } = place;
  const { dataDir, scratchDir } = options;
  const program = programs.postgres;
  const server = await spawnScratchServer({ program, user, dataDir, scratchDir, settingsFile: settings });
  try {
    return (await untilOpen(place, server)) ? server : null;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function writeSettings({ options, user, socketDir }: Place, target: Record<string, string>): string {
  mkdirSync(options.scratchDir, { recursive: true, mode: 0o711 });
  const [conf, hba] = ['postgresql.conf', 'pg_hba.conf'].map((name) => join(options.scratchDir, name));
  const values: Record<string, string> = {
    hba_file: hba ?? '',
    listen_addresses: '',
    unix_socket_directories: socketDir,
    port: String(SOCKET_PORT),
    // Values of the old server do not bind a recovery that nobody looks into.
    hot_standby: 'off',
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    restore_command: `cp ${shellQuoted(options.walDir)}/%f %p`,
    log_timezone: 'UTC',
    timezone: 'UTC',
    lc_messages: 'C',
    autovacuum: 'off',
    ...target,
  };
  const lines = Object.entries(values).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  writeFileSync(conf ?? '', `${lines.join('\n')}\n`, { mode: 0o644 });
  // The socket's folder lets PostgreSQL's user and root in, nobody else.
  writeFileSync(hba ?? '', 'local all all trust\n', { mode: 0o644 });
  if (user !== null) for (const path of [conf, hba]) chownSync(path ?? '', user.uid, user.gid);
  return conf ?? '';
}

function shellQuoted(text: string): string {
  // PostgreSQL replaces %; the shell reads the rest.
  return `'${text.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`;
}

function addressOf({ options, socketDir }: Place): string {
  const { databaseUser, database } = options;
  const where = `host=${encodeURIComponent(socketDir)}&port=${String(SOCKET_PORT)}`;
  return `postgres://${encodeURIComponent(databaseUser)}@/${encodeURIComponent(database)}?${where}`;
}

async function untilOpen(place: Place, server: ServiceProcess): Promise<boolean> {
  const deadline = Date.now() + RECOVERY_TIMEOUT_MS;
  for (;;) {
    place.options.signal?.throwIfAborted();
    if (server.hasExited()) {
      const tail = logTail(server.logFile, LOG_LINES, server.logStart);
      if (tail.includes(TARGET_NOT_REACHED)) return false;
      throw new DomainError('artefactCorrupt', `The restored database does not start:\n${tail}`);
    }
    if (Date.now() > deadline) throw new DomainError('unavailable', 'The restored database does not get ready');
    if (await answers(addressOf(place))) return true;
    await sleep(POLL_MS);
  }
}

async function answers(databaseUrl: string): Promise<boolean> {
  const client = new Client({ connectionString: databaseUrl, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const found = await client.query<{ open: boolean }>('select not pg_is_in_recovery() as open');
    return found.rows[0]?.open === true;
  } catch (error) {
    const code = (error as { code?: string }).code ?? '';
    // Neither the wrong name of a database nor that of a user gets better by waiting.
    if (/^(3D000|28...)$/.test(code)) throw new DomainError('invalidInput', (error as Error).message);
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function currentTimeline(place: Place): Promise<number> {
  const client = new Client({ connectionString: addressOf(place) });
  await client.connect();
  try {
    const found = await client.query<{ name: string }>('select pg_walfile_name(pg_current_wal_lsn()) as name');
    return Number.parseInt(found.rows[0]?.name.slice(0, 8) ?? '', 16);
  } finally {
    await client.end();
  }
}

/** The new timeline's history says where the old one was left. */
function readEnd(dataDir: string, timeline: number) {
  const file = join(dataDir, 'pg_wal', historyName(timeline));
  const parent = existsSync(file) ? parseHistory(readFileSync(file, 'utf8')).at(-1) : undefined;
  if (parent === undefined)
    throw new DomainError('internal', `The restored database took no new timeline (${String(timeline)})`);
  return { timeline, readTimeline: parent.timeline, reachedLsn: parent.switchLsn };
}

function neverReached({ plan }: RecoveryOptions): DomainError {
  const what = plan.wish.kind === 'point' ? `restore point "${plan.wish.name}"` : 'the wished position';
  return new DomainError('refused', `The log in the target ends before ${what}`, [
    { field: 'to', message: 'never reached', allowed: ['latest', 'a moment inside of the restorable window'] },
  ]);
}
