import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Written by the image build, which has no git: one line, the commit. */
export const BUILD_STAMP = 'code-commit.txt';
const GIT_TIMEOUT_MS = 3_000;
/** Folders looked through on the way up to the package's root: `dist/adapters` is two below it. */
const LEVELS_MAX = 4;

/**
 * The commit this code was built from, for the lineage of model versions: the build stamp, else git's HEAD (with
 * `-dirty` when tracked files differ from it), else `unknown`.
 */
export function codeCommit(root: string = packageRoot()): string {
  return fromStamp(root) ?? fromGit(root) ?? 'unknown';
}

function fromStamp(root: string): string | null {
  const path = join(root, BUILD_STAMP);
  if (!existsSync(path)) return null;
  const stamp = readFileSync(path, 'utf8').trim();
  return /^[0-9a-zA-Z._-]{1,100}$/.test(stamp) ? stamp : null;
}

function fromGit(root: string): string | null {
  // Without a repository of our own, git would answer for whatever folder this one was unpacked in.
  if (!existsSync(join(root, '.git'))) return null;
  try {
    const args = ['-C', root, 'describe', '--always', '--dirty', '--abbrev=40', '--exclude=*'];
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const found = execFileSync('git', args, { encoding: 'utf8', timeout: GIT_TIMEOUT_MS, stdio }).trim();
    return /^[0-9a-f]{40,64}(-dirty)?$/.test(found) ? found : null;
  } catch {
    return null; // No git, or no commit yet.
  }
}

function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (let level = 0; level < LEVELS_MAX && !existsSync(join(folder, 'package.json')); level++)
    folder = dirname(folder);
  return folder;
}
