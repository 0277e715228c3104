/** The database of a real API hangs, is killed, is far away; and the API is started while nothing else is there. */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startFaultDatabase } from '../../../bench/faults/database.ts';
import type { FaultDatabase } from '../../../bench/faults/database.ts';
import { startFaultApi } from '../../../bench/faults/fault-api.ts';
import type { FaultApi } from '../../../bench/faults/fault-api.ts';
import { startLoad } from '../../../bench/faults/steady-load.ts';
import type { SteadyLoad } from '../../../bench/faults/steady-load.ts';
import { createTcpProxy } from '../../../bench/faults/tcp-proxy.ts';
import type { TcpProxy } from '../../../bench/faults/tcp-proxy.ts';
import { settleAccounts, until } from '../../../bench/faults/tell.ts';
import { faultModel } from './model.ts';

/** Longer than the pauses of the shipper and of the polls; `npm run bench -- faults` takes half a minute. */
const OUTAGE_MS = 3_000;
/** Five times what is promised: the machine may be busy. */
const WELL_AGAIN_MS = 25_000;

let database: FaultDatabase;
let line: TcpProxy;
let api: FaultApi;
const loads: SteadyLoad[] = [];

beforeAll(async () => {
  database = await startFaultDatabase();
  const url = new URL(database.url);
  line = await createTcpProxy({ host: url.hostname, port: Number(url.port) });
  url.port = String(line.port);
  // Nobody is there: nothing of this needs Temporal.
  api = await startFaultApi({ databaseUrl: url.href, temporalAddress: '127.0.0.1:1', model: faultModel() });
});
afterAll(async () => {
  database.thaw();
  await api.remove();
  await line.close();
  await database.remove();
});
beforeEach(() => until('both processes', 20_000, async () => (await api.health()).processes.length === 2));

function load(): SteadyLoad {
  const started = startLoad(api.target(), { connections: 16, pauseMs: 30 });
  loads.push(started);
  return started;
}

/** The registry can be read, and the journal is on its way. */
const isWell = async (): Promise<boolean> => {
  const { processes } = await api.health();
  return processes.every(({ reasons }) => reasons.length === 0) && (await api.metric('journal_lag_seconds')) < 1;
};

async function expectAllRecorded(unheardMax = 0): Promise<void> {
  const { missing, twice, unheard } = await settleAccounts(api, loads, 20_000);
  expect({ missing, twice }).toEqual({ missing: 0, twice: 0 });
  expect(unheard).toBeLessThanOrEqual(unheardMax);
}

describe('the database under load', () => {
  it.each<[string, () => unknown, () => unknown]>([
    ['hangs', () => database.freeze(), () => database.thaw()],
    ['is killed and started again', () => database.kill(), () => database.start()],
    ['cannot be reached over a line that is silent', () => line.stall(), () => line.restore()],
  ])('%s: no prediction fails, and every one is recorded once', async (_, begin, end) => {
    const clients = load();
    await clients.more(100);
    await begin();
    await pause(OUTAGE_MS);
    expect(await api.isReady()).toBe(true);
    await clients.more(100);
    await end();
    await until('all to be well again', WELL_AGAIN_MS, isWell);
    await clients.more(100);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    await expectAllRecorded();
  });

  it('is far away, on a line that breaks now and then: no prediction fails, and every one is recorded once', async () => {
    const clients = load();
    line.delay(60);
    for (let i = 0; i < 8; i += 1) {
      await pause(400);
      line.reset();
    }
    await line.restore();
    await until('all to be well again', WELL_AGAIN_MS, isWell);
    await clients.stop();
    expect([...clients.broken]).toEqual([]);
    await expectAllRecorded();
  });
});

describe('an API started while the database and Temporal are away', () => {
  it('serves by what it has on its disk, and records it all when the database is back', async () => {
    const before = load();
    await before.more(100);
    await database.kill();
    await before.more(100);
    api.signal('SIGKILL');
    await api.exited();
    await before.stop();
    await api.start();
    const after = load();
    await after.more(200);
    expect(await api.isReady()).toBe(true);
    await database.start();
    await until('all to be well again', WELL_AGAIN_MS, isWell);
    await after.stop();
    expect([...after.broken]).toEqual([]);
    await expectAllRecorded(before.broken.length);
  });
});
