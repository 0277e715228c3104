import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { query } from '../../support/query.ts';
import {
  createMemoryObjects,
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

  it('does not take an unreadable record for the end of the log', async () => {
    const broken = createMemoryObjects();
    for (const [key, bytes] of objects.content) broken.content.set(key, bytes);
    // The newest piece loses its beginning, as a bad disk would have it; nothing sealed it here.
    const pieces = [...broken.content.keys()].filter((name) => /-\d{13}$/.test(name));
    const key = pieces.sort().at(-1) ?? '';
    const bytes = Buffer.from(broken.content.get(key) ?? '');
    bytes.fill(0x5a, 0, Math.min(64, bytes.byteLength));
    broken.content.set(key, bytes);
    await expect(restore(broken, [set], { kind: 'latest' })).rejects.toMatchObject({ code: 'artefactCorrupt' });
  });

  it('comes back to the newest state when the moment is later than the last change, and is refused beyond the log', async () => {
    await expect(restore(objects, [set], { kind: 'moment', atMs: Date.now() + 60_000 })).rejects.toMatchObject({
      code: 'refused',
      problems: [{ field: 'to' }],
    });
  });

  it('waits for a target that is away, says how late it is, and catches up', async () => {
    objects.down = true;
    await running.query(`insert into after_drop select generate_series(1, 1000)`);
    await expect.poll(() => shipping.shipper.status().problem, { timeout: 10_000 }).toContain('the target is down');
    await expect.poll(() => shipping.shipper.status().lagSeconds, { timeout: 10_000 }).toBeGreaterThan(0.5);
    const [slot] = await running.query<{ status: string; bound: string }>(
      `select wal_status as status, current_setting('max_slot_wal_keep_size') as bound from pg_replication_slots`,
    );
    expect(slot).toEqual({ status: 'reserved', bound: '2GB' });
    objects.down = false;
    await untilShipped(running, shipping);
    await expect.poll(() => shipping.shipper.status().lagSeconds, { timeout: 10_000 }).toBeLessThan(1);
  });

  it('comes back to the moment before a table was dropped, with every row and none that came later', async () => {
    const restored = await restore(objects, [set], { kind: 'moment', atMs: beforeDropMs });
    expect(await query(restored.databaseUrl, 'select count(*)::int as n from notes')).toEqual([{ n: 1050 }]);
    expect(await query(restored.databaseUrl, `select to_regclass('after_drop') as t`)).toEqual([{ t: null }]);
    await restored.stop();
    remove(restored.folder);
  });
});
