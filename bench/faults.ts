/** Faults of the serving plane at length, on a production build with the example's model: what the tests do in seconds. */
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { readConfig } from '../adapters/config.ts';
import { startTemporal } from '../infra/embedded/temporal.ts';
import { startKeeper } from '../infra/processes/keeper-client.ts';
import type { Bench, Figure } from './bench.ts';
import { exampleModel } from './example-model.ts';
import { startFaultDatabase } from './faults/database.ts';
import type { FaultDatabase } from './faults/database.ts';
import { champion, startFaultApi } from './faults/fault-api.ts';
import type { FaultApi, FaultModel } from './faults/fault-api.ts';
import { startLoad } from './faults/steady-load.ts';
import type { SteadyLoad } from './faults/steady-load.ts';
import { createTcpProxy } from './faults/tcp-proxy.ts';
import type { TcpProxy } from './faults/tcp-proxy.ts';
import { quantileMs, settleAccounts, until } from './faults/tell.ts';
import { buildForProduction } from './production-build.ts';

const CONNECTIONS = 16;
/** Some 400 requests a second: what is looked at is the fault, not the limit. */
const PAUSE_MS = 35;
const QUIET_MS = 10_000;
const OUTAGE_MS = 30_000;
const TEMPORAL_OUTAGE_MS = 60_000;
const SWAPS = 100;
/** Before them, until the allocators have what they want. */
const WARM_UP_SWAPS = 10;
const LIMIT_MS = 60_000;

type Log = (line: string) => void;
type Cleanup = () => Promise<unknown>;

interface World {
  readonly api: FaultApi;
  readonly database: FaultDatabase;
  readonly temporal: TcpProxy;
  readonly loads: SteadyLoad[];
  readonly log: Log;
  quietP99Ms: number;
}

const none = (name: string, value: number, unit: string): Figure => ({ name, value, unit, bar: 0, better: 'lower' });
const most = (name: string, value: number, unit: string, bar: number | null): Figure => {
  return { name, value, unit, bar, better: 'lower' };
};

async function faultModel(home: string, log: Log): Promise<FaultModel> {
  const { definition, algorithm, onnxPath, signature, evaluation, golden, rows } = await exampleModel(home, log);
  const onnx = await readFile(onnxPath);
  const holdout = { digest: '0'.repeat(64), rows: 0 };
  const stored = { digest: '', bytes: onnx.byteLength };
  const content = { model: definition.name, algorithm, onnx: stored, signature, evaluation, golden, holdout };
  return { definition, onnx, manifest: { formatVersion: 1, ...content }, features: rows[0] ?? {} };
}

/** Puts load on, works, and tells what became of the requests. */
async function underLoad(world: World, what: string, work: (load: SteadyLoad) => Promise<void>): Promise<SteadyLoad> {
  const load = startLoad(world.api.target(), { connections: CONNECTIONS, pauseMs: PAUSE_MS });
  world.loads.push(load);
  try {
    await load.more(200, LIMIT_MS);
    await work(load);
    await load.more(200, LIMIT_MS);
  } finally {
    await load.stop();
  }
  const { answers, broken, failures } = load;
  world.log(`${what}: ${answers.length} answers, ${broken.length} broken tries, ${failures.length} failures`);
  return load;
}

/** The registry can be read, and records are stored again. */
async function untilWell(world: World): Promise<number> {
  const stored = (await world.api.health()).journal.shipped;
  return until('all to be well', LIMIT_MS, async () => {
    const { processes, journal } = await world.api.health();
    const reasons = processes.flatMap((process) => process.reasons);
    return processes.length > 0 && reasons.length === 0 && journal.shipped > stored;
  });
}

/** Nothing waits any more. */
const isCaughtUp = async ({ api }: World): Promise<boolean> => (await api.metric('journal_lag_seconds')) < 1;

async function accountsOf(world: World, what: string): Promise<readonly Figure[]> {
  const { missing, twice } = await settleAccounts(world.api, world.loads, LIMIT_MS);
  return [none(`${what}: answers not recorded, or twice`, missing + twice, 'records')];
}

async function quiet(world: World): Promise<readonly Figure[]> {
  // The first thousands of requests are slower: nothing is compiled yet.
  await underLoad(world, 'warm-up', () => pause(QUIET_MS));
  const load = await underLoad(world, 'quiet', () => pause(QUIET_MS));
  world.quietP99Ms = quantileMs(load, 0.99);
  return [most('quiet: p99', world.quietP99Ms, 'ms', null)];
}

async function killedProcess(world: World): Promise<readonly Figure[]> {
  const { api } = world;
  let replacedMs = Number.NaN;
  const load = await underLoad(world, 'kill -9', async () => {
    const killed = (await api.health()).processes[0]?.pid ?? 0;
    process.kill(killed, 'SIGKILL');
    replacedMs = await until('the replacement', LIMIT_MS, async () => {
      const pids = (await api.health()).processes.map((p) => p.pid);
      return pids.length === 2 && !pids.includes(killed);
    });
  });
  return [
    most('kill -9 of a process: connections broken', load.broken.length, `of ${CONNECTIONS}`, CONNECTIONS - 1),
    none('kill -9 of a process: requests failed for who tries again', load.failures.length, 'requests'),
    most('kill -9 of a process: replaced within', replacedMs / 1000, 's', 5),
    ...(await accountsOf(world, 'kill -9 of a process')),
  ];
}

async function away(world: World, what: string, begin: () => unknown, end: () => unknown): Promise<readonly Figure[]> {
  let [wellMs, caughtUpMs] = [Number.NaN, Number.NaN];
  let [fromMs, untilMs] = [0, 0];
  const load = await underLoad(world, what, async () => {
    fromMs = performance.now();
    await begin();
    await pause(OUTAGE_MS);
    untilMs = performance.now();
    await end();
    wellMs = await untilWell(world);
    caughtUpMs = wellMs + (await until('the backlog', LIMIT_MS, () => isCaughtUp(world)));
  });
  return [
    none(`${what} for ${OUTAGE_MS / 1000} s: failed predictions`, load.broken.length, 'requests'),
    most(`${what}: p99 meanwhile / quiet`, quantileMs(load, 0.99, fromMs, untilMs) / world.quietP99Ms, 'x', 2),
    most(`${what}: all well after its return`, wellMs / 1000, 's', 5),
    most(`${what}: backlog stored after its return`, caughtUpMs / 1000, 's', null),
    ...(await accountsOf(world, what)),
  ];
}

async function temporalAway(world: World): Promise<readonly Figure[]> {
  const { api, temporal } = world;
  const start = (): Promise<Response> => api.call('POST', `/models/${api.model}/train`, {});
  let [refusals, backMs] = [0, Number.NaN];
  const load = await underLoad(world, 'Temporal away', async () => {
    await temporal.cut();
    const untilMs = performance.now() + TEMPORAL_OUTAGE_MS;
    while (performance.now() < untilMs) {
      const { status, headers } = await start();
      if (status !== 503 || headers.get('retry-after') === null) refusals += 1;
      await pause(2_000);
    }
    await temporal.restore();
    backMs = await until('Temporal', LIMIT_MS, async () => (await start()).status !== 503);
  });
  const what = `Temporal away for ${TEMPORAL_OUTAGE_MS / 1000} s`;
  return [
    none(`${what}: failed predictions`, load.broken.length, 'requests'),
    none(`${what}: starts not answered 503 with Retry-After`, refusals, 'requests'),
    most(`${what}: workflows start again after`, backMs / 1000, 's', 10),
  ];
}

async function swaps(world: World): Promise<readonly Figure[]> {
  const { api } = world;
  const second = await api.addVersion();
  let [before, after] = [0, 0];
  const memoryMb = async (): Promise<number> => {
    await pause(1_100);
    return Math.max(...(await api.health()).processes.map((p) => p.memory_mb));
  };
  const swapTimes = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      const generation = await api.route(champion(i % 2 === 0 ? second : 1));
      await until('the swap', LIMIT_MS, async () => (await api.metric('routing_generation')) >= generation);
    }
  };
  const load = await underLoad(world, `${SWAPS} swaps`, async () => {
    await swapTimes(WARM_UP_SWAPS);
    before = await memoryMb();
    await swapTimes(SWAPS);
    after = await memoryMb();
  });
  const strangers = load.answers.filter(({ version }) => version !== 1 && version !== second).length;
  return [
    none(`${SWAPS} swaps, each a load: failed requests`, load.broken.length, 'requests'),
    none(`${SWAPS} swaps: answers of a version not routed`, strangers, 'answers'),
    most(`${SWAPS} swaps: growth of a process`, after - before, 'MB', 50),
  ];
}

async function failStatic(world: World): Promise<readonly Figure[]> {
  const { api, database, temporal } = world;
  await database.kill();
  await temporal.cut();
  api.signal('SIGKILL');
  await api.exited();
  const startMs = await api.start();
  const load = await underLoad(world, 'started alone', () => pause(QUIET_MS / 2));
  await database.start();
  await temporal.restore();
  const wellMs = await untilWell(world);
  return [
    most('started without Postgres and Temporal: serves after', startMs / 1000, 's', 15),
    none('started without Postgres and Temporal: failed predictions', load.broken.length, 'requests'),
    most('started without Postgres and Temporal: all well after their return', wellMs / 1000, 's', 5),
    ...(await accountsOf(world, 'started without Postgres and Temporal')),
  ];
}

async function terminated(world: World): Promise<readonly Figure[]> {
  const { api } = world;
  const load = startLoad(api.target(), { connections: CONNECTIONS, pauseMs: PAUSE_MS });
  world.loads.push(load);
  await load.more(500, LIMIT_MS);
  api.signal('SIGTERM');
  const stopping = performance.now();
  const code = await api.exited();
  const stopMs = performance.now() - stopping;
  await load.stop();
  // Whoever comes when the port is closed is refused by the system: nothing of theirs was taken.
  const dropped = load.broken.filter(({ what }) => !what.includes('ECONNREFUSED')).length;
  await api.start();
  return [
    none('SIGTERM under load: requests dropped in flight', dropped, 'requests'),
    none('SIGTERM under load: exit code', code ?? 1, ''),
    most('SIGTERM under load: ended after', stopMs / 1000, 's', 15),
    ...(await accountsOf(world, 'SIGTERM under load')),
  ];
}

async function build(cleanups: Cleanup[], log: Log): Promise<World> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-bench-faults-'));
  await chmod(home, 0o755);
  cleanups.push(() => rm(home, { recursive: true, force: true }));
  const model = await faultModel(home, log);
  log('building for production');
  const module = await buildForProduction(join(home, 'build'));
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  cleanups.push(() => keeper.release());
  const database = await startFaultDatabase();
  cleanups.push(() => database.remove());
  const { cacheDir } = readConfig();
  const server = await startTemporal({ home, keeper, cacheDir, port: 0, uiPort: 0 });
  cleanups.push(() => server.process.stop());
  const temporal = await createTcpProxy({ host: '127.0.0.1', port: server.port });
  cleanups.push(() => temporal.close());
  const temporalAddress = `127.0.0.1:${temporal.port}`;
  // Nothing is kept, so that every swap is a load and a release.
  const env = { SLUICE_KEPT_VERSIONS_MB: '0', SLUICE_TASK_QUEUE: 'nobody-works-here' };
  const api = await startFaultApi({ databaseUrl: database.url, temporalAddress, model, module, env });
  cleanups.push(() => api.remove());
  return { api, database, temporal, loads: [], log, quietP99Ms: Number.NaN };
}

/** Every answer is counted, and asked for in the database after each fault. */
export const faults: Bench = {
  description: 'Processes killed, Postgres and Temporal away, versions swapped, all under load: ten minutes',
  async run(log) {
    const cleanups: Cleanup[] = [];
    try {
      const world = await build(cleanups, log);
      const { database } = world;
      const figures: Figure[] = [];
      figures.push(...(await quiet(world)));
      figures.push(...(await killedProcess(world)));
      figures.push(...(await swaps(world)));
      figures.push(
        ...(await away(
          world,
          'Postgres hangs',
          () => database.freeze(),
          () => database.thaw(),
        )),
      );
      figures.push(
        ...(await away(
          world,
          'Postgres killed',
          () => database.kill(),
          () => database.start(),
        )),
      );
      figures.push(...(await temporalAway(world)));
      figures.push(...(await terminated(world)));
      figures.push(...(await failStatic(world)));
      return figures;
    } finally {
      for (const cleanup of cleanups.reverse()) await cleanup();
    }
  },
};
