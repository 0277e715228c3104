import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { takeRestored } from './restored-data.ts';
import { isReachable, postgresUser, type SystemUser } from './postgres-user.ts';
import { postgresPrograms, type PostgresPrograms } from './postgres-programs.ts';

/** initdb takes 1 to 3 s on an idle machine. */
const INITDB_TIMEOUT_MS = 120_000;
const PASSWORD_BYTES = 24;
/** Where root keeps a data directory that PostgreSQL's user could not reach below root's own folders. */
const SHARED_STATE = '/var/lib/sluice';
export const DATABASE_USER = 'sluice';

export interface Cluster {
  readonly dataDir: string;
  readonly programs: PostgresPrograms;
  readonly user: SystemUser | null;
  readonly password: string;
}

/**
 * Finds or makes the data directory of this home.
 * @throws Error naming what failed, with the end of initdb's output
 */
export async function preparePostgresCluster(
  home: string,
  say: (line: string) => void,
  signal?: AbortSignal,
): Promise<Cluster> {
  const user = postgresUser();
  const base = baseFolder(home, user, say);
  const programs = postgresPrograms(user, base, say);
  const dataDir = join(base, 'data');
  if (takeRestored(base)) say('the restored database takes its place');
  const passwordFile = join(home, 'postgres-password');
  if (existsSync(join(dataDir, 'PG_VERSION'))) {
    if (!existsSync(passwordFile))
      throw new Error(`${passwordFile} is missing, and the database in ${dataDir} opens with it only`);
    return { dataDir, programs, user, password: readFileSync(passwordFile, 'utf8').trim() };
  }
  // On disk before the database that it opens.
  if (!existsSync(passwordFile))
    writeFileSync(passwordFile, `${randomBytes(PASSWORD_BYTES).toString('base64url')}\n`, { mode: 0o600, flush: true });
  const password = readFileSync(passwordFile, 'utf8').trim();
  say('making the database (initdb)');
  await initialise(programs, dataDir, password, user, signal);
  return { dataDir, programs, user, password };
}

/** Where the database of a home lies; made when it is not there. */
export function postgresBase(
  home: string,
  say: (line: string) => void = () => undefined,
): { base: string; user: SystemUser | null } {
  const user = postgresUser();
  return { base: baseFolder(home, user, say), user };
}

function baseFolder(home: string, user: SystemUser | null, say: (line: string) => void): string {
  let base = join(home, 'postgres');
  if (user !== null && !isReachable(join(base, 'data'), user)) {
    const hash = createHash('sha256').update(home).digest('hex').slice(0, 12);
    base = join(SHARED_STATE, hash);
    say(`PostgreSQL's data is in ${base}: its user ${user.name} cannot reach ${home}`);
  }
  mkdirSync(base, { recursive: true, mode: 0o755 });
  // The umask of whoever starts us must not lock PostgreSQL's user out.
  if (user !== null) chmodSync(base, 0o755);
  return base;
}

/**
 * Makes an empty database in `dataDir`. Works in a draft folder beside it and renames that at the end, so that a killed
 * start never leaves half a database.
 */
export async function initialise(
  programs: PostgresPrograms,
  dataDir: string,
  password: string,
  user: SystemUser | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const draft = `${dataDir}.draft`;
  const pwFile = join(dirname(dataDir), 'initdb-password');
  rmSync(draft, { recursive: true, force: true });
  rmSync(dataDir, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  writeFileSync(pwFile, `${password}\n`, { mode: 0o600 });
  if (user !== null) for (const path of [draft, pwFile]) chownSync(path, user.uid, user.gid);
  try {
    await run(
      programs.initdb,
      [
        `--pgdata=${draft}`,
        `--username=${DATABASE_USER}`,
        `--pwfile=${pwFile}`,
        '--auth=scram-sha-256',
        // Without these, initdb asks the environment, and makes SQL_ASCII where there is no LANG.
        '--encoding=UTF8',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--locale=C',
        '--data-checksums',
      ],
      user,
      signal,
    );
  } finally {
    rmSync(pwFile, { force: true });
  }
  renameSync(draft, dataDir);
}

function run(
  command: string,
  args: readonly string[],
  user: SystemUser | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: '/',
      env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: INITDB_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      ...(signal === undefined ? {} : { signal }),
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
    });
    let output = '';
    const collect = (chunk: Buffer): void => {
      output = (output + chunk.toString('utf8')).slice(-4_000);
    };
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`initdb ended with ${String(code ?? signal)}:\n${output.trim()}`));
    });
  });
}
