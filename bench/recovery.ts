import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import type { RestoreWish } from '../recovery/restore/plan-restore.ts';
import { passableFolder, restoreAndCheck, sweepScratch } from '../recovery/restore/restore-and-check.ts';
import type { Bench, Figure } from './bench.ts';
import { query } from '../test/support/query.ts';
import {
  artefactsOf,
  backUp,
  createBenchHome,
  fillOneGb,
  ROWS_PER_GB,
  shipLog,
  type BenchHome,
} from './recovery/bench-home.ts';
import { measureFailover } from './recovery/failover.ts';
import { measureServing } from './recovery/measure-serving.ts';

const WRITE_SECONDS = 6;
const MB = 1024 * 1024;

type Log = (line: string) => void;

const figure = (name: string, value: number, unit: string, bar: number | null): Figure => ({
  name,
  value,
  unit,
  bar,
  better: 'lower',
});

/** Restores into a folder of its own and asks the restored database; the time is that of restore and checks. */
async function restoreAndAsk(world: BenchHome, wish: RestoreWish, text: string) {
  const folder = passableFolder(world.folder, `restore-${String(Date.now())}`);
  mkdirSync(join(folder, 'artefacts'));
  const startedAt = performance.now();
  const place = {
    dataDir: join(folder, 'data'),
    scratchDir: passableFolder(folder, 'scratch'),
    artefacts: artefactsOf(folder),
  };
  const { database } = await restoreAndCheck({ target: world.target, wish }, place);
  const tookMs = performance.now() - startedAt;
  const rows = await query<{ n: number; clean?: boolean }>(database.databaseUrl, text);
  await database.stop();
  await sweepScratch(place.scratchDir, folder);
  return { rows, tookMs };
}

/** One writer that counts what the server acknowledged, until its server is killed. */
async function writeUntilLost(databaseUrl: string): Promise<{ acknowledged: () => number; ended: Promise<void> }> {
  const client = new Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  let acknowledged = 0;
  const ended = (async () => {
    try {
      for (;;) {
        await client.query(`insert into bench_rows(body) values (repeat('x', 200))`);
        acknowledged += 1;
      }
    } catch {
      await client.end().catch(() => undefined);
    }
  })();
  return { acknowledged: () => acknowledged, ended };
}

async function measureLoss(log: Log): Promise<readonly Figure[]> {
  const world = await createBenchHome();
  try {
    await world.query(
      'create table bench_rows(id bigserial primary key, body text, at timestamptz default clock_timestamp())',
    );
    const shipping = shipLog(world);
    await backUp(world);
    const writer = await writeUntilLost(world.postgres.databaseUrl);
    await sleep(WRITE_SECONDS * 1000);
    process.kill(world.postgres.process.pid, 'SIGKILL');
    rmSync(world.postgres.dataDir, { recursive: true, force: true });
    await writer.ended;
    const acknowledged = writer.acknowledged();
    await shipping.stop();
    const { rows } = await restoreAndAsk(world, { kind: 'latest' }, 'select count(*)::int as n from bench_rows');
    const lost = Math.max(0, acknowledged - (rows[0]?.n ?? 0));
    const lostSeconds = (lost / acknowledged) * WRITE_SECONDS;
    log(`${acknowledged} rows acknowledged, ${lost} lost with the data folder: the last ${lostSeconds.toFixed(2)} s`);
    return [
      figure('rows lost with the data folder', lost, `of ${acknowledged} rows`, null),
      figure('time lost with the data folder', lostSeconds, 's', 1),
    ];
  } finally {
    await world.stop().catch(() => undefined);
  }
}

async function measureSize(log: Log): Promise<readonly Figure[]> {
  const world = await createBenchHome();
  try {
    await fillOneGb((text) => world.query(text));
    const [size] = await world.query<{ bytes: string }>('select pg_database_size(current_database()) as bytes');
    const gb = Number(size?.bytes) / 1024 / MB;
    const shipping = shipLog(world);
    const startedAt = performance.now();
    await backUp(world);
    const backupS = (performance.now() - startedAt) / 1000;
    log(`base backup of ${gb.toFixed(2)} GB, encrypted and in the target: ${backupS.toFixed(1)} s`);
    const [now] = await world.query<{ ms: string }>('select extract(epoch from clock_timestamp()) * 1000 as ms');
    const atMs = Math.floor(Number(now?.ms));
    await sleep(20);
    await world.query('drop table bench_rows');
    await world.query('create table later_rows(id int)');
    await sleep(3_000);
    await shipping.stop();
    const question = `select (select count(*)::int from bench_rows) as n, to_regclass('later_rows') is null as clean`;
    const { rows, tookMs } = await restoreAndAsk(world, { kind: 'moment', atMs }, question);
    log(`restored to the moment before the DROP TABLE: ${(tookMs / 1000).toFixed(1)} s`);
    return [
      figure('base backup, per GB', backupS / gb, 's', null),
      figure('restore to verified, per GB', tookMs / 1000 / gb, 's', 60),
      figure('rows lost before a DROP TABLE', ROWS_PER_GB - (rows[0]?.n ?? 0), 'rows', 0),
      figure('later tables after the restore', rows[0]?.clean === true ? 0 : 1, 'tables', 0),
    ];
  } finally {
    await world.stop();
  }
}

const PARTS: Readonly<Record<string, (log: Log) => Promise<readonly Figure[]>>> = {
  loss: measureLoss,
  size: measureSize,
  serving: measureServing,
  failover: measureFailover,
};

export const recovery: Bench = {
  description:
    'what is lost with a data folder, how long ways back take, what backups cost those who ask [--part NAME]',
  async run(log, { part }) {
    const names = Object.keys(PARTS);
    if (part !== undefined && !names.includes(part)) throw new Error(`--part is one of: ${names.join(', ')}`);
    const figures: Figure[] = [];
    for (const [name, measure] of Object.entries(PARTS)) {
      if (part === undefined || part === name) figures.push(...(await measure(log)));
    }
    return figures;
  },
};
