/**
 * CPU time per request of the target and of the node-floor, loaded in turn: other work on the machine changes it far
 * less than requests per second, and what is compared was measured in the same seconds.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Figure } from './bench.ts';

const CONNECTIONS = 32;
const ROUNDS = 7;
const SECONDS = 1;
const WARM_UP_SECONDS = 3;
/** Of the peer, as the platform has under the bench. */
const WORKERS = 2;
const PEER_START_MS = 30_000;
/** Unit of `/proc/PID/stat`, fixed for programs (USER_HZ). */
const TICKS_PER_SECOND = 100;

export interface CpuTarget {
  readonly url: string;
  readonly key: string;
  /** Its serving processes are this one's children. */
  readonly pid: number;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

interface Server {
  readonly url: string;
  readonly header: string;
  readonly bodies: string;
  readonly pid: number;
}

/** Ticks that the children of a process have used, by mode. */
async function ticksOf(parent: number): Promise<number> {
  let ticks = 0;
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const stat = await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '');
    // The name, in brackets, may hold anything.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (Number(fields[1]) === parent) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks;
}

/** Runs wrk; the requests that were answered. */
async function load(yardstick: string, server: Server, seconds: number): Promise<number> {
  const options = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--timeout', '10s', '-s', join(yardstick, 'post.lua')];
  const settings = [`YARDSTICK_BODIES=${server.bodies}`, `YARDSTICK_HEADERS=${server.header}`];
  const stdio: ['ignore', 'pipe', 'inherit'] = ['ignore', 'pipe', 'inherit'];
  const child = spawn('env', [...settings, 'wrk', ...options, server.url], { stdio });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(child, 'close');
  const result = /^RESULT (\{.*\})$/m.exec(text)?.[1];
  if (result === undefined) throw new Error(`wrk said nothing of ${server.url}`);
  return (JSON.parse(result) as { requests: number }).requests;
}

async function microsecondsPerRequest(yardstick: string, server: Server): Promise<number> {
  const before = await ticksOf(server.pid);
  const requests = await load(yardstick, server, SECONDS);
  return (((await ticksOf(server.pid)) - before) / TICKS_PER_SECOND / requests) * 1e6;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startFloor(yardstick: string) {
  const port = await freePort();
  const command = [process.execPath, join(yardstick, 'peers/node-http.mjs')];
  const child = spawn('env', [`PORT=${port}`, `WORKERS=${WORKERS}`, ...command], { stdio: ['ignore', 2, 2] });
  const url = `http://127.0.0.1:${port}`;
  const limitMs = performance.now() + PEER_START_MS;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  ) {
    if (performance.now() > limitMs || child.exitCode !== null) throw new Error('the node-floor does not start');
    await pause(100);
  }
  return { pid: child.pid ?? 0, url: `${url}/predict`, stop: () => child.kill() };
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** @throws Error when a server could not be loaded */
export async function cpuPerRequest(yardstick: string, target: CpuTarget): Promise<readonly Figure[]> {
  const work = await mkdtemp(join(tmpdir(), 'sluice-cpu-'));
  const lines = async (name: string, body: (features: unknown, row: number) => unknown): Promise<string> => {
    const path = join(work, name);
    await writeFile(path, target.rows.map((row, i) => `${JSON.stringify(body(row, i))}\n`).join(''));
    return path;
  };
  const own: Server = {
    url: `${target.url}/predict`,
    header: `X-API-Key: ${target.key}`,
    bodies: await lines('own', (features, row) => ({ entity_id: `bench-${row}`, features })),
    pid: target.pid,
  };
  const bodies = await lines('floor', (features, row) => ({ customer_id: `bench-${row}`, features }));
  const started = await startFloor(yardstick);
  try {
    const floor: Server = { url: started.url, header: 'X: 1', bodies, pid: started.pid };
    for (const server of [own, floor]) await load(yardstick, server, WARM_UP_SECONDS);
    const spent: { own: number[]; floor: number[] } = { own: [], floor: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      spent.own.push(await microsecondsPerRequest(yardstick, own));
      spent.floor.push(await microsecondsPerRequest(yardstick, floor));
    }
    const ratios = spent.own.map((value, round) => value / (spent.floor[round] ?? Number.NaN));
    const shown = (name: string, value: number, unit: string): Figure => {
      return { name, value, unit, bar: null, better: 'lower' };
    };
    return [
      shown('CPU per request, serving processes', median(spent.own), 'us'),
      shown('CPU per request, node-floor', median(spent.floor), 'us'),
      shown('CPU per request / node-floor', median(ratios), 'x'),
    ];
  } finally {
    started.stop();
    await rm(work, { recursive: true, force: true });
  }
}
