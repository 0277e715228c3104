import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';

export interface SystemUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

const ID_TIMEOUT_MS = 5_000;
/** PostgreSQL refuses to run as root. `nobody` exists everywhere; `postgres` only where somebody made it. */
const STAND_INS = ['postgres', 'nobody'];

/**
 * The user that PostgreSQL runs as when this process is root, `null` when it is an ordinary user.
 * @throws Error when root has nobody to run it as
 */
export function postgresUser(): SystemUser | null {
  if (process.getuid?.() !== 0) return null;
  for (const name of STAND_INS) {
    const uid = idOf('-u', name);
    const gid = idOf('-g', name);
    if (uid !== null && uid !== 0 && gid !== null) return { name, uid, gid };
  }
  throw new Error(
    `PostgreSQL does not run as root, and this system has no user to run it as (looked for ${STAND_INS.join(', ')}). ` +
      'Start as an ordinary user, make a user "postgres", or set DATABASE_URL to a server that runs already.',
  );
}

/** True when the user may pass through every folder above the path. Root's own folders often keep others out. */
export function isReachable(path: string, user: SystemUser): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const stat = statSync(folder, { throwIfNoEntry: false });
    if (stat !== undefined && !mayEnter(stat, user)) return false;
    if (folder === dirname(folder)) return true;
  }
}

function mayEnter(stat: { uid: number; gid: number; mode: number }, user: SystemUser): boolean {
  if (stat.uid === user.uid) return (stat.mode & 0o100) !== 0;
  if (stat.gid === user.gid) return (stat.mode & 0o010) !== 0;
  return (stat.mode & 0o001) !== 0;
}

function idOf(flag: '-u' | '-g', name: string): number | null {
  try {
    const text = execFileSync('id', [flag, name], {
      encoding: 'utf8',
      timeout: ID_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const id = Number.parseInt(text, 10);
    return Number.isInteger(id) ? id : null;
  } catch {
    return null;
  }
}
