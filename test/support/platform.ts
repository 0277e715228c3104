import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, existsSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..');

/** The started platform, as a user has it: one process tree, one home, an API and a key. */
export interface Platform {
  readonly home: string;
  readonly url: string;
  readonly key: string;
  readonly process: ChildProcess;
  readonly output: () => string;
  /** Milliseconds from the start to the final screen. */
  readonly startedInMs: number;
  /** Calls the API; throws on a status that was not expected. */
  request<T = Record<string, unknown>>(method: string, path: string, body?: unknown, status?: number): Promise<T>;
  /** Runs the CLI against this platform; resolves with its exit code and output. */
  cli(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }>;
  stop(): Promise<number | null>;
}

export interface PlatformState {
  readonly api: { readonly url: string };
  readonly temporal: { readonly address: string; readonly uiUrl: string | null };
}

export function temporaryHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
  chmodSync(home, 0o755);
  return home;
}

export function platformEnvironment(home: string): NodeJS.ProcessEnv {
  return {
    ...process.env,
    SLUICE_HOME: home,
    SLUICE_CACHE: join(ROOT, '.sluice/cache'),
    SLUICE_PORT: '0',
    DATABASE_URL: '',
    TEMPORAL_ADDRESS: '',
    VITEST: '',
    NODE_ENV: '',
  };
}

export function readPlatformState(home: string): PlatformState {
  return JSON.parse(readFileSync(join(home, 'run/platform.json'), 'utf8')) as PlatformState;
}

export interface StartOptions {
  /** Over the usual environment; `undefined` takes a variable away. */
  readonly env?: NodeJS.ProcessEnv;
  /** Starts it as another user; only root can. */
  readonly user?: { readonly uid: number; readonly gid: number };
  /** In a process group of its own, as a terminal starts it. */
  readonly detached?: boolean;
  /** By `npm start` itself; the process is npm's then. */
  readonly npm?: boolean;
  /** What the output has to say before the start counts as done. Default: the final screen's curl. */
  readonly until?: RegExp;
}

/** `npm start` on a home of its own; resolves at the final screen, rejects with the output when the process ends before. */
export async function startPlatform(
  home: string = temporaryHome(),
  timeoutMs = 240_000,
  options: StartOptions = {},
): Promise<Platform> {
  const env = { ...platformEnvironment(home), ...options.env };
  const until = options.until ?? /curl/;
  const startedAt = performance.now();
  const command = options.npm === true ? ['npm', 'start'] : [process.execPath, 'infra/start.mjs', 'up'];
  const child = spawn(command[0] ?? '', command.slice(1), {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.detached ?? false,
    ...options.user,
  });
  const output = collect(child);
  await waitFor(
    () => until.test(output()) || child.exitCode !== null,
    timeoutMs,
    () => `the final screen; so far:\n${output()}`,
  );
  if (child.exitCode !== null) throw new Error(`the platform ended with ${child.exitCode}:\n${output()}`);
  const startedInMs = performance.now() - startedAt;
  const { api } = readPlatformState(home);
  const key = readFileSync(join(home, 'first-key'), 'utf8').trim();
  return {
    home,
    url: api.url,
    key,
    process: child,
    output,
    startedInMs,
    request: (method, path, body, status) => request(api.url, key, method, path, body, status),
    cli: (...args) => runCli(args, env),
    stop: () => stop(child),
  };
}

async function request<T>(
  url: string,
  key: string,
  method: string,
  path: string,
  body?: unknown,
  status?: number,
): Promise<T> {
  const response = await fetch(url + path, {
    method,
    headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const expected = status === undefined ? response.ok : response.status === status;
  if (!expected) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return (text === '' ? {} : JSON.parse(text)) as T;
}

export async function runCli(args: readonly string[], env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, ['cli/sluice.mjs', ...args], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const code = await new Promise<number>((done) => child.on('close', (c) => done(c ?? -1)));
  return { code, stdout, stderr };
}

async function stop(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const ended = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
  child.kill('SIGTERM');
  return ended;
}

function collect(child: ChildProcess): () => string {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}

/** Waits for a condition, polling; fails with what was waited for. */
export async function waitFor<T>(
  probe: () => T | Promise<T>,
  timeoutMs: number,
  what: string | (() => string) = 'a condition',
  intervalMs = 100,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value;
    if (performance.now() > deadline)
      throw new Error(`waited ${timeoutMs} ms for ${typeof what === 'string' ? what : what()}`);
    await new Promise((done) => setTimeout(done, intervalMs));
  }
}

export function removeHome(home: string): void {
  if (existsSync(home)) rmSync(home, { recursive: true, force: true });
}
