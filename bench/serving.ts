import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Bench, Figure } from './bench.ts';
import type { BenchModel } from './bench-model.ts';
import { compareWithPeers } from './compare-with-peers.ts';
import { cpuPerRequest } from './cpu-per-request.ts';
import { exampleModel, exampleRows } from './example-model.ts';
import type { Load, LoadResult } from './serving-load.ts';
import { startBenchPlatform } from './serving-platform.ts';
import type { BenchPlatform } from './serving-platform.ts';
import { yardstickModel } from './yardstick-model.ts';
import { findYardstick, runYardstick } from './yardstick.ts';

const LOAD = fileURLToPath(new URL('./serving-load.ts', import.meta.url));
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 3;
const SECONDS = 5;
/** Of each load of the yardstick, which takes turns between the servers. */
const YARDSTICK = { seconds: 3, repeats: 3 } as const;
const RESTARTS = 3;
/** Longer than a swap or the first moments of an outage, as monitoring windows are. */
const FAULT_SECONDS = 10;
/** Half of what the processes can do at the least: at the limit everything queues, and nothing can be told apart. */
const FAULT_CONNECTIONS = 4;

type Log = (line: string) => void;
interface Target {
  readonly url: string;
  readonly key: string;
}

const bodiesOf = (name: string, rows: BenchModel['rows']): readonly string[] =>
  rows.map((features, row) => JSON.stringify({ model: name, entity_id: `bench-${row}`, features }));

async function applyLoad(load: Load): Promise<LoadResult> {
  const child = fork(LOAD, { execArgv: ['--import', 'tsx'] });
  child.send(load);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the load ended with ${String(code)}`)));
  ended.catch(() => undefined);
  const [result] = (await Promise.race([once(child, 'message'), ended])) as [LoadResult];
  return result;
}

function loader({ url, key }: Target, bodies: readonly string[], log: Log) {
  return async (connections: number, seconds: number, what = ''): Promise<LoadResult> => {
    const result = await applyLoad({ url, key, bodies, connections, seconds });
    const { requests, errors, p50Ms, p95Ms, p99Ms } = result;
    log(
      `${connections} connections${what}: ${requests} answers in ${result.seconds} s, ${errors} errors, ` +
        `ms at p50 ${p50Ms.toFixed(2)}, p95 ${p95Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}`,
    );
    return result;
  };
}

async function measure(target: Target, bodies: readonly string[], log: Log): Promise<readonly Figure[]> {
  const at = loader(target, bodies, log);
  await at(CONNECTIONS, WARM_UP_SECONDS, ', to warm up');
  const many = await at(CONNECTIONS, SECONDS);
  const one = await at(1, SECONDS);
  const name = (what: string) => `${what} at ${CONNECTIONS} connections`;
  const rps = many.requests / many.seconds;
  return [
    { name: name('requests/s'), value: rps, unit: '1/s', bar: 1_000, better: 'higher' },
    { name: name('p95'), value: many.p95Ms, unit: 'ms', bar: 50, better: 'lower' },
    { name: name('p99'), value: many.p99Ms, unit: 'ms', bar: 100, better: 'lower' },
    { name: 'p50 at 1 connection', value: one.p50Ms, unit: 'ms', bar: 10, better: 'lower' },
    { name: 'errors', value: many.errors + one.errors, unit: 'requests', bar: 0, better: 'lower' },
  ];
}

/** What a swap and an outage of the database do to the slowest answers. */
async function measureFaults(platform: BenchPlatform, bodies: readonly string[], log: Log): Promise<readonly Figure[]> {
  const at = loader({ url: platform.url(), key: platform.key }, bodies, log);
  const load = (what: string) => at(FAULT_CONNECTIONS, FAULT_SECONDS, what);
  const quiet = await load(', quiet');
  const [swapped] = await Promise.all([load(', one swap'), later(FAULT_SECONDS / 2).then(() => platform.swap())]);
  const hung = await platform.withDatabaseHung(() => load(', Postgres hangs'));
  const ratio = (name: string, result: LoadResult): Figure => {
    return { name, value: result.p99Ms / quiet.p99Ms, unit: 'x', bar: 2, better: 'lower' };
  };
  return [
    ratio('p99 while a version is swapped / quiet', swapped),
    ratio('p99 while Postgres hangs / quiet', hung),
    { name: 'errors in both', value: swapped.errors + hung.errors, unit: 'requests', bar: 0, better: 'lower' },
  ];
}

const later = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

async function measureProcesses(platform: BenchPlatform): Promise<readonly Figure[]> {
  const memoryMb = Math.max(...(await platform.memoryMb()));
  const starts: number[] = [];
  for (let i = 0; i < RESTARTS; i += 1) starts.push(await platform.restart());
  const median = starts.sort((a, b) => a - b)[Math.floor(RESTARTS / 2)] ?? Number.NaN;
  return [
    { name: 'memory of a serving process', value: memoryMb, unit: 'MB', bar: 200, better: 'lower' },
    { name: 'start of the API, artefacts cached', value: median / 1000, unit: 's', bar: 1.5, better: 'lower' },
  ];
}

async function measureAll(yardstick: string | null, log: Log): Promise<readonly Figure[]> {
  const makeModel = (home: string) => (yardstick === null ? exampleModel(home, log) : yardstickModel(yardstick));
  const platform = await startBenchPlatform(makeModel, log);
  try {
    const { key, model } = platform;
    const url = platform.url();
    const bodies = bodiesOf(model.definition.name, model.rows);
    const own = await measure({ url, key }, bodies, log);
    const compared =
      yardstick === null ? [] : compareWithPeers(await runYardstick({ folder: yardstick, url, key, ...YARDSTICK }));
    const cpu =
      yardstick === null || process.platform !== 'linux'
        ? []
        : await cpuPerRequest(yardstick, { url, key, pid: platform.pid(), rows: model.rows });
    const faults = await measureFaults(platform, bodies, log);
    return [...own, ...compared, ...cpu, ...faults, ...(await measureProcesses(platform))];
  } finally {
    await platform.stop();
  }
}

/** Predictions over HTTP, with everything a caller pays for: key, limits, checks, routing, journal, metrics. */
export const serving: Bench = {
  description:
    'POST /predict: speed, next to other servers where the yardstick is; --url and --key: a running platform',
  async run(log, { url, key, yardstick }) {
    if (url !== undefined && key !== undefined) return measure({ url, key }, await exampleBodies(), log);
    const found = await findYardstick(yardstick);
    if ('missing' in found) log(`no comparison with other servers: ${found.missing}`);
    return measureAll('folder' in found ? found.folder : null, log);
  },
};

async function exampleBodies(): Promise<readonly string[]> {
  const { name, rows } = await exampleRows();
  return bodiesOf(name, rows);
}
