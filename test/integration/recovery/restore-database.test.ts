import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createMemoryObjects,
  query,
  remove,
  restore,
  startServer,
  startShipping,
  takeSet,
  untilShipped,
  type RunningServer,
  type Shipping,
  type TakenSet,
} from './restore-world.ts';

describe('a database and its way back', () => {
  const objects = createMemoryObjects();
  let running: RunningServer;
  let shipping: Shipping;
  let set: TakenSet;
  let beforeDropMs = 0;

  beforeAll(async () => {
    running = await startServer();
    await running.query('create table notes(id serial primary key, body text)');
    await running.query(`insert into notes(body) select repeat('x', 100) from generate_series(1, 1000)`);
    shipping = startShipping(running.server.databaseUrl, objects);
    set = await takeSet(running.server.databaseUrl, 'first');
    await running.query(`insert into notes(body) select 'later' from generate_series(1, 50)`);
    const [now] = await running.query<{ ms: string }>('select extract(epoch from clock_timestamp())*1000 as ms');
    beforeDropMs = Math.floor(Number(now?.ms)) + 1;
    await new Promise((r) => setTimeout(r, 5));
    await running.query('drop table notes');
    await running.query('create table after_drop(id int)');
    await untilShipped(running, shipping);
  });

  afterAll(async () => {
    await shipping.stop();
    await running.stop();
    remove(running.home);
  });

  it('comes back to the newest state', async () => {
    const restored = await restore(objects, [set], { kind: 'latest' });
    expect(await query(restored.databaseUrl, 'select count(*)::int as n from after_drop')).toEqual([{ n: 0 }]);
    expect(restored.timeline).toBe(2);
    await restored.stop();
    remove(restored.folder);
  });

  it('comes back to the moment before a table was dropped, with every row and none that came later', async () => {
    const restored = await restore(objects, [set], { kind: 'moment', atMs: beforeDropMs });
    expect(await query(restored.databaseUrl, 'select count(*)::int as n from notes')).toEqual([{ n: 1050 }]);
    expect(await query(restored.databaseUrl, `select to_regclass('after_drop') as t`)).toEqual([{ t: null }]);
    await restored.stop();
    remove(restored.folder);
  });
});
