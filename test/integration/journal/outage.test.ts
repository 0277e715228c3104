import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createJournalShipper } from '../../../api/journal/journal-shipper.ts';
import { createJournalWriter } from '../../../api/journal/journal-writer.ts';
import { createServing } from '../../../api/serving/create-serving.ts';
import { createRecordSink } from '../../../api/serving/record-sink.ts';
import { createRegistry } from '../../../db/create-registry.ts';
import { migrate } from '../../../db/migrate.ts';
import { startPostgres, type EmbeddedPostgres } from '../../../infra/embedded/postgres.ts';
import { startKeeper } from '../../../infra/processes/keeper-client.ts';
import { givenServedModel, putLoadOn, type Home } from './fixture.ts';

const SERVER = fileURLToPath(new URL(`../../../.sluice-test/journal-${process.pid}/`, import.meta.url));

/** A server of its own: it is stopped, which the tests beside this one must not feel. */
let server: EmbeddedPostgres;
let home: Home;
let keeper: ReturnType<typeof startKeeper>;
beforeAll(async () => {
  await rm(SERVER, { recursive: true, force: true });
  await mkdir(SERVER, { recursive: true });
  keeper = startKeeper(join(SERVER, 'logs', 'keeper.log'));
  server = await startPostgres({ home: SERVER, keeper, port: 0 });
  await migrate(server.databaseUrl);
});
afterAll(async () => {
  signal('SIGCONT');
  await server.process.stop();
  await keeper.release();
  await rm(SERVER, { recursive: true, force: true });
  await home.remove();
});

/** The server and every process it has made. */
function signal(name: 'SIGSTOP' | 'SIGCONT'): void {
  const { pid } = server.process;
  const lines = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n');
  const children = lines.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, parent]) => parent === pid);
  for (const one of [pid, ...children.map(([child]) => child ?? 0)]) {
    try {
      process.kill(one, name);
    } catch (error) {
      // One that has ended since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function openServing() {
  const database = createRegistry(server.databaseUrl, { operationTimeoutMs: 2_000, poolConnectionsMax: 4 });
  const { registry } = database;
  const log = { info: () => undefined, warn: () => undefined, error: vi.fn() };
  const dir = join(home.path, 'journal');
  const fallback = createRecordSink({ records: registry.records, log });
  const sink = createJournalWriter({ dir, instance: randomUUID(), fallback, log });
  const shipper = createJournalShipper({ dir, store: registry.journal, bounds: { bytesMax: 1e9, ageMaxMs: 1e9 }, log });
  const serving = createServing({
    routing: registry.routing,
    versions: registry.versions,
    artefacts: createFolderArtefactStore(join(home.path, 'artefacts')),
    records: registry.records,
    home: home.path,
    sink,
    metrics: { observe: () => undefined, batchSize: () => undefined },
    log,
  });
  const close = async () => {
    await serving.close();
    await shipper.close(2_000);
    await database.close();
  };
  return { serving, shipper, writer: sink, log, close };
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('predictions while the database is away', () => {
  it('go on through a server that hangs and one that is stopped, and every one is stored once', async () => {
    const setUp = createRegistry(server.databaseUrl);
    home = await givenServedModel(setUp.registry);
    await setUp.close();
    const { serving, shipper, writer, log, close } = openServing();
    await serving.start();
    let slowestMs = 0;
    const load = putLoadOn(async () => {
      const startedAt = performance.now();
      const [outcome] = await serving.predict('m', [{ entityId: null, features: { x: 1 } }]);
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome));
      await pause(2);
      return outcome.requestId;
    }, 4);
    const answers = (more: number) => {
      const enough = load.answered.length + more;
      return vi.waitFor(() => expect(load.answered.length).toBeGreaterThan(enough), { timeout: 20_000, interval: 5 });
    };
    const failing = (is: boolean) =>
      vi.waitFor(() => expect(shipper.status().failing).toBe(is), { timeout: 30_000, interval: 20 });
    await answers(200);

    signal('SIGSTOP');
    await failing(true);
    await answers(500);
    signal('SIGCONT');
    await failing(false);
    await answers(200);

    await server.process.stop();
    await failing(true);
    await answers(500);
    expect(shipper.status().waiting).toBeGreaterThan(400);
    server = await startPostgres({ home: SERVER, keeper, port: server.port, portFixed: true });
    await failing(false);
    await answers(200);

    await load.stop();
    expect(load.failures).toEqual([]);
    const sql = postgres(server.databaseUrl, { max: 1, onnotice: () => undefined });
    await vi.waitFor(
      async () => {
        const [row] = await sql`select count(*)::int as n, count(distinct request_id)::int as ids from predictions`;
        expect(row).toEqual({ n: load.answered.length, ids: load.answered.length });
      },
      { timeout: 20_000, interval: 100 },
    );
    const stored = new Set((await sql`select request_id from predictions`).map((row) => row['request_id'] as string));
    expect(load.answered.filter((id) => !stored.has(id))).toEqual([]);
    await sql.end();
    expect(shipper.status()).toMatchObject({ dropped: 0, rejected: 0 });
    expect(writer.status()).toMatchObject({ spilled: 0, appended: load.answered.length });
    expect(log.error).not.toHaveBeenCalled();
    // No prediction has waited for the database: its answers took seconds.
    expect(slowestMs).toBeLessThan(1_500);
    await close();
  });
});
