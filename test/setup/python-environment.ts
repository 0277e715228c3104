/** Virtual environments with pinned packages, installed once for every test run. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { testCacheDir } from './temporal-binaries.ts';

const run = promisify(execFile);

/** What the pinned packages ask for: outside of it pip finds none of these versions. */
const PYTHON_MINOR_MIN = 10;
const PYTHON_MINOR_MAX = 13;
/** Some 200 MB are downloaded. */
export const INSTALL_LIMIT_MS = 600_000;
const PROBE_LIMIT_MS = 20_000;
const RUN_LIMIT_MS = 120_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;
const STAMP = 'installed.json';

const windows = process.platform === 'win32';
const pythonOf = (folder: string): string => join(folder, windows ? 'Scripts/python.exe' : 'bin/python');
const systemPython = (): string => (windows ? 'python' : 'python3');

/** Why packages cannot be installed here, in one line that begins with `what`; `null` when they can. */
export async function pythonMissing(what: string): Promise<string | null> {
  const program = 'import sys, venv, ensurepip; print(*sys.version_info[:2])';
  try {
    const { stdout } = await run(systemPython(), ['-c', program], { timeout: PROBE_LIMIT_MS });
    const [major = 0, minor = 0] = stdout.trim().split(' ').map(Number);
    if (major === 3 && minor >= PYTHON_MINOR_MIN && minor <= PYTHON_MINOR_MAX) return null;
    return `${what} need Python 3.${PYTHON_MINOR_MIN} to 3.${PYTHON_MINOR_MAX}; this is ${major}.${minor}`;
  } catch {
    return `${what} need python3 with venv and pip on PATH`;
  }
}

/**
 * The interpreter of a virtual environment that has the packages. The first call installs them, later ones, in this
 * run or another, find them.
 * @throws what pip says when it cannot install them
 */
export async function pythonEnvironment(name: string, packages: readonly string[]): Promise<string> {
  const folder = join(testCacheDir(), name);
  if (await isInstalled(folder, packages)) return pythonOf(folder);
  await mkdir(testCacheDir(), { recursive: true });
  const draft = await mkdtemp(join(testCacheDir(), `.${name}-`));
  try {
    await run(systemPython(), ['-m', 'venv', draft], { timeout: INSTALL_LIMIT_MS });
    // Byte code is written by whoever imports a module first: most of them nobody does.
    const install = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check', ...packages];
    await run(pythonOf(draft), install, { timeout: INSTALL_LIMIT_MS, maxBuffer: OUTPUT_BYTES_MAX });
    await writeFile(join(draft, STAMP), JSON.stringify(packages));
    await moveInPlace(draft, folder, packages);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return pythonOf(folder);
}

async function isInstalled(folder: string, packages: readonly string[]): Promise<boolean> {
  const stamp = await readFile(join(folder, STAMP), 'utf8').catch(() => '');
  return stamp === JSON.stringify(packages) && existsSync(pythonOf(folder));
}

/** Of two runs that install at once the second finds the work done. */
async function moveInPlace(draft: string, folder: string, packages: readonly string[]): Promise<void> {
  if (!(await isInstalled(folder, packages))) await rm(folder, { recursive: true, force: true });
  await rename(draft, folder).catch(async (error: unknown) => {
    if (!(await isInstalled(folder, packages))) throw error;
  });
}

/** Runs a script with one JSON argument; resolves with the JSON it prints last. */
export async function runPython<T>(python: string, script: string, argument: object): Promise<T> {
  const { stdout } = await run(python, [script, JSON.stringify(argument)], {
    timeout: RUN_LIMIT_MS,
    maxBuffer: OUTPUT_BYTES_MAX,
    // A proxy of this machine must not stand between the client and the test's own server.
    env: { ...process.env, NO_PROXY: '*', no_proxy: '*' },
  });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as T;
}
