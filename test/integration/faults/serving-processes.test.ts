/** What happens to, in and around the serving processes of a real API that is asked all the time. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { connectTemporal } from '../../../adapters/temporal-client.ts';
import { champion, startFaultApi } from '../../../bench/faults/fault-api.ts';
import type { FaultApi } from '../../../bench/faults/fault-api.ts';
import { startLoad } from '../../../bench/faults/steady-load.ts';
import type { SteadyLoad } from '../../../bench/faults/steady-load.ts';
import { createTcpProxy } from '../../../bench/faults/tcp-proxy.ts';
import type { TcpProxy } from '../../../bench/faults/tcp-proxy.ts';
import { settleAccounts, until } from '../../../bench/faults/tell.ts';
import { migrate } from '../../../db/migrate.ts';
import { createTestDatabase } from '../../setup/database.ts';
import type { TestDatabase } from '../../setup/database.ts';
import { faultModel } from './model.ts';

const CLIENTS = 16;
const SWAPS = 12;
/** A routing change is seen by its notification, and by the poll each second at the latest; then the version is loaded. */
const ADOPTED_WITHIN_MS = 10_000;

let database: TestDatabase;
let temporal: TcpProxy;
let api: FaultApi;
const loads: SteadyLoad[] = [];

beforeAll(async () => {
  database = await createTestDatabase();
  const { databaseUrl } = database;
  await migrate(databaseUrl);
  const [host = '', port] = inject('TEMPORAL_ADDRESS').split(':');
  temporal = await createTcpProxy({ host, port: Number(port) });
  const preload = [new URL('./injected.ts', import.meta.url)];
  const temporalAddress = `127.0.0.1:${temporal.port}`;
  // The least there is: what counts is the growth. Nothing is kept, so that each swap releases a version.
  const env = { SLUICE_PROCESS_MEMORY_MB: '128', SLUICE_KEPT_VERSIONS_MB: '0' };
  api = await startFaultApi({ databaseUrl, temporalAddress, model: faultModel(), preload, env });
});
afterAll(async () => {
  await api.remove();
  await temporal.close();
  await database.drop();
});
beforeEach(() => until('both processes', 20_000, async () => (await api.health()).processes.length === 2));

function load(): SteadyLoad {
  const started = startLoad(api.target(), { connections: CLIENTS, pauseMs: 30 });
  loads.push(started);
  return started;
}

/** Every answer that anybody has got so far is in the database, once. */
async function expectAllRecorded(unheardMax = 0): Promise<void> {
  const { missing, twice, unheard } = await settleAccounts(api, loads, 20_000);
  expect({ missing, twice }).toEqual({ missing: 0, twice: 0 });
  expect(unheard).toBeLessThanOrEqual(unheardMax);
}

/** Nobody works on it here: it would run on for whoever else uses this Temporal. */
async function endTraining(workflowId: string): Promise<void> {
  const client = connectTemporal({ temporalAddress: inject('TEMPORAL_ADDRESS'), temporalNamespace: 'default' });
  try {
    await client.client.workflow.getHandle(workflowId).terminate('the test is over');
  } finally {
    await client.close();
  }
}

async function newestGeneration(generation: number): Promise<void> {
  await until(`generation ${generation}`, ADOPTED_WITHIN_MS, async () => {
    return (await api.metric('routing_generation')) === generation;
  });
}

describe('a serving process killed with -9 under load', () => {
  it('breaks what is open on it alone; the others serve on, it is replaced, and every answer is recorded', async () => {
    const clients = load();
    await clients.more(200);
    const { processes } = await api.health();
    const killed = processes[0]?.pid ?? 0;
    const killedAtMs = performance.now();
    process.kill(killed, 'SIGKILL');
    await until('the replacement', 20_000, async () => {
      const pids = (await api.health()).processes.map((p) => p.pid);
      return pids.length === 2 && !pids.includes(killed);
    });
    await clients.more(200);
    await clients.stop();
    expect((await api.health()).process_crashes).toBe(1);
    // A connection breaks once; whoever tries again is answered.
    expect(clients.failures).toEqual([]);
    // None at all where the kill fell between two requests of each.
    expect(clients.broken.length).toBeLessThan(CLIENTS);
    expect(new Set(clients.broken.map((b) => b.client)).size).toBe(clients.broken.length);
    for (const { status, atMs } of clients.broken) {
      expect(status).toBe(0);
      expect(atMs - killedAtMs).toBeLessThan(5_000);
    }
    await expectAllRecorded(clients.broken.length);
  });

  it('leaves nobody waiting whose connection was on its way to it', async () => {
    const { processes } = await api.health();
    const killed = processes[0]?.pid ?? 0;
    process.kill(killed, 'SIGSTOP');
    // The primary deals out in turn: one of these is handed to the process that stands still.
    const asked = Array.from({ length: 6 }, () => api.call('GET', '/alive'));
    let answered = 0;
    for (const one of asked) void one.then(() => (answered += 1));
    await until('the others to be answered', 10_000, () => answered === asked.length - 1);
    process.kill(killed, 'SIGKILL');
    await until('the last to be answered', 10_000, () => answered === asked.length);
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    await until('the replacement', 20_000, async () => {
      const pids = (await api.health()).processes.map((p) => p.pid);
      return pids.length === 2 && !pids.includes(killed);
    });
  });
});

describe('versions swapped under load', () => {
  it(`costs no request, ${SWAPS} times over, and only routed versions answer`, async () => {
    const versions: number[] = [];
    for (let i = 0; i < SWAPS; i += 1) versions.push(await api.addVersion());
    const routedFromMs = new Map([[1, -Infinity]]);
    const routedUntilMs = new Map<number, number>();
    const clients = load();
    await clients.more(50);
    let current = 1;
    let generation = 1;
    for (const version of versions) {
      routedFromMs.set(version, performance.now());
      generation = await api.route(champion(version));
      routedUntilMs.set(current, performance.now());
      current = version;
      await clients.more(40);
    }
    await newestGeneration(generation);
    await clients.more(50);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    for (const { version, atMs, ms } of clients.answers) {
      expect(routedFromMs.get(version)).toBeLessThan(atMs);
      expect((routedUntilMs.get(version) ?? Infinity) + ADOPTED_WITHIN_MS).toBeGreaterThan(atMs - ms);
    }
    expect(new Set(clients.answers.map((a) => a.version)).size).toBeGreaterThan(SWAPS / 2);
    expect(clients.answers.at(-1)?.version).toBe(current);
    await expectAllRecorded(CLIENTS);
  });

  it('leaves the old version serving when the new one is corrupt, in the same processes', async () => {
    const before = await api.health();
    const serving = before.models[0]?.routes[0]?.version ?? 0;
    const clients = load();
    await clients.more(50);
    for (const damage of [(onnx: Uint8Array) => onnx.subarray(0, onnx.length / 2), () => Buffer.from('no model')]) {
      await api.route(champion(await api.addVersion(damage)));
      await until('the refusal', ADOPTED_WITHIN_MS, async () => {
        const { processes } = await api.health();
        return processes.every(({ reasons }) => reasons.some((r) => r.includes('could not be loaded')));
      });
      expect(await api.isReady()).toBe(true);
    }
    await clients.more(50);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    expect(new Set(clients.answers.map((a) => a.version))).toEqual(new Set([serving]));
    const pids = ({ processes }: typeof before) => processes.map((p) => p.pid).sort();
    expect(pids(await api.health())).toEqual(pids(before));
    await newestGeneration(await api.route(champion(serving)));
  });
});

describe('a serving process that takes more and more memory', () => {
  it('is replaced by a fresh one without a request noticing; the others stay', async () => {
    const { processes, process_crashes: crashes } = await api.health();
    const [leaking = 0, other = 0] = processes.map((p) => p.pid);
    const clients = load();
    await clients.more(100);
    // It has been looked at before it grows.
    await until('a look at it', 10_000, async () => (await api.health()).processes.every((p) => p.ready));
    await pause(2_500);
    await writeFile(join(api.home, 'leak'), String(leaking));
    const pids = async () => (await api.health()).processes.map((p) => p.pid);
    await until('the fresh one', 30_000, async () => {
      const now = await pids();
      return now.length === 2 && !now.includes(leaking);
    });
    // It counts when the old one has ended.
    await until('its end', 20_000, async () => (await api.metric('api_process_recycles_total')) === 1);
    await clients.more(100);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    expect(await pids()).toContain(other);
    expect((await api.health()).process_crashes).toBe(crashes);
    await expectAllRecorded(CLIENTS);
  });
});

describe('Temporal away', () => {
  it('costs no prediction; what needs it answers 503 with Retry-After, and works when it is back', async () => {
    const clients = load();
    const train = () => api.call('POST', '/models/m/train', {});
    await temporal.cut();
    const refused = await train();
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    await clients.more(200);
    // A line that is silent says less than a closed one.
    await temporal.restore();
    temporal.stall();
    expect((await train()).status).toBe(503);
    await clients.more(200);
    await temporal.restore();
    await until('Temporal to be reached again', 20_000, async () => (await train()).status !== 503);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    expect((await api.call('GET', '/models/m/train')).status).toBe(200);
    await endTraining('train/m');
  });
});

describe('a full disk under the journal', () => {
  it('costs no prediction and no record, is told and alarmed, and is over when there is room', async () => {
    const clients = load();
    await clients.more(50);
    const flag = join(api.home, 'disk-full');
    await writeFile(flag, '');
    await until('the alarm', 10_000, async () => {
      const { status, journal } = await api.health();
      return status === 'degraded' && journal.failing && journal.spilled > 0;
    });
    expect(api.logs()).toContain('the journal cannot be written');
    await clients.more(200);
    await rm(flag);
    await until('the end of the alarm', 10_000, async () => !(await api.health()).journal.failing);
    await clients.more(50);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    expect((await api.health()).records.dropped).toBe(0);
    await expectAllRecorded(CLIENTS);
    // The count stays when nothing fails any more.
    await pause(1_100);
    expect(await api.metric('journal_spilled_records_total')).toBeGreaterThan(0);
  });
});
