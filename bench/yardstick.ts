/** Runs the yardstick, a program of its own that measures HTTP prediction servers next to their peers with wrk. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const DEFAULT_FOLDER = fileURLToPath(new URL('../../shared/yardstick', import.meta.url));
export const PEERS = ['fastapi', 'node-floor'] as const;
export const BATCH_ROWS = 1_000;

export interface YardstickOptions {
  readonly folder: string;
  readonly url: string;
  readonly key: string;
  readonly seconds: number;
  readonly repeats: number;
}

/** Medians of the repeats of one load on one server. */
export interface Measured {
  readonly rps: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly errors: number;
}

export type Loads = Readonly<Record<'c1' | 'c32' | 'batch', Measured>>;
export type Measurements = Readonly<Record<'target' | (typeof PEERS)[number], Loads>>;

/** Its folder, or why it cannot run here. */
export async function findYardstick(
  given: string | undefined,
): Promise<{ readonly folder: string } | { readonly missing: string }> {
  const folder = resolve(given ?? DEFAULT_FOLDER);
  const has = (check: Promise<unknown>): Promise<boolean> => check.then(() => true).catch(() => false);
  const run = promisify(execFile);
  if (!(await has(access(join(folder, 'measure'))))) return { missing: `there is no yardstick in ${folder}` };
  if (!(await has(run('python3', ['--version'])))) return { missing: 'python3 is missing' };
  // wrk answers its version with exit code 1.
  const wrk = await run('wrk', ['-v']).catch((error: unknown) => error as { code?: unknown });
  if ('code' in wrk && wrk.code === 'ENOENT') return { missing: 'wrk is missing' };
  return { folder };
}

/** @throws Error when a server could not be measured */
export async function runYardstick(options: YardstickOptions): Promise<Measurements> {
  const { folder, url, key, seconds, repeats } = options;
  const work = await mkdtemp(join(tmpdir(), 'sluice-yardstick-'));
  const report = join(work, 'figures.json');
  const args = [
    ...['--target-url', `${url}/predict`, '--header', `X-API-Key: ${key}`, '--peers', PEERS.join()],
    ...['--body-template', '{"entity_id":{id},"features":{features}}', '--connections', '1,32'],
    ...['--batch-url', `${url}/predict/batch`, '--batch-rows', String(BATCH_ROWS)],
    ...['--seconds', String(seconds), '--repeats', String(repeats), '--json', report],
  ];
  try {
    const child = spawn(join(folder, 'measure'), args, { stdio: ['ignore', 2, 2] });
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`the yardstick ended with ${String(code)}; see its lines above`);
    return (JSON.parse(await readFile(report, 'utf8')) as { results: Measurements }).results;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
