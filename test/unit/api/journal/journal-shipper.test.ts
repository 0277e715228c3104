import { appendFileSync, existsSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { FakeStore } from './fake-store.ts';
import { BOUNDS, ship, shipAll, soon } from './shipping.ts';
import { idsOf, openWriter, record, records, segmentsOf, temporaryFolder, writeTurn } from './support.ts';

describe('the journal shipper', () => {
  it('ships what a living writer appends, soon, each record once', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer } = openWriter(dir);
    const { shipper } = ship(dir, store);
    const all = records(5);
    for (const one of all) {
      await writeTurn(writer, [one]);
      const startedAt = performance.now();
      await soon(() => expect(store.stored).toContain(one.requestId));
      expect(performance.now() - startedAt).toBeLessThan(1_000);
    }
    expect(store.stored).toEqual(idsOf(all));
    await soon(() => expect(shipper.status()).toMatchObject({ shipped: 5, waiting: 0, lagSeconds: 0, failing: false }));
  });

  it('ships what others left behind, goes on where the database says, and removes what is shipped', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer, instance } = openWriter(dir, { segmentBytes: 2_000 });
    const all = records(30);
    for (const one of all.slice(0, 10)) await writeTurn(writer, [one]);
    await shipAll(dir, store);
    expect(store.stored).toEqual(idsOf(all.slice(0, 10)));
    for (const one of all.slice(10)) await writeTurn(writer, [one]);
    const { status } = await shipAll(dir, store);
    expect(store.stored).toEqual(idsOf(all));
    expect(status.shipped).toBe(20);
    // The newest stays as long as its writer may live.
    expect(segmentsOf(dir, instance)).toHaveLength(1);
    expect([...store.reached.keys()]).toHaveLength(1);
  });

  it('removes the folder of a writer that is gone, and not that of one that lives, whatever the clock says', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const gone = openWriter(dir);
    const living = openWriter(dir);
    await writeTurn(gone.writer, [record()]);
    await writeTurn(living.writer, [record()]);
    await gone.writer.close(0);
    // Signs of life of the far past and the far future: only their moving counts.
    let years = 1;
    const alive = join(dir, living.instance, 'alive');
    const touch = () => utimesSync(alive, new Date(1e12 * years), new Date((1e12 * years++) % 3e12));
    const clock = vi.spyOn(performance, 'now');
    const now = performance.now();
    let elapsedMs = 0;
    clock.mockImplementation(() => now + elapsedMs);
    ship(dir, store);
    for (; elapsedMs < 200_000; elapsedMs += 10_000) {
      touch();
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    clock.mockRestore();
    expect(readdirSync(dir)).toEqual([living.instance]);
    expect(segmentsOf(dir, living.instance)).toHaveLength(1);
  });

  it('passes over the torn end of a writer that was cut off, and ships all before it', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer, instance } = openWriter(dir, { segmentBytes: 1 });
    const all = records(2);
    await writeTurn(writer, [all[0] ?? record()]);
    const [segment = ''] = segmentsOf(dir, instance);
    appendFileSync(segment, readFileSync(segment).subarray(0, 200));
    await writeTurn(writer, [all[1] ?? record()]);
    const { log, status } = await shipAll(dir, store);
    expect(store.stored).toEqual(idsOf(all));
    expect(existsSync(segment)).toBe(false);
    expect(log.warn.mock.calls[0]).toEqual([
      { instance, segment: 1, atBytes: expect.any(Number) as number, bytes: 200 },
      expect.stringContaining('cut short'),
    ]);
    expect(status.rejected).toBe(0);
  });

  it('waits for the rest of a frame while the writer lives', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer, instance } = openWriter(dir);
    const [first, second] = [record(), record()];
    await writeTurn(writer, [first]);
    const [segment = ''] = segmentsOf(dir, instance);
    const bytes = statSync(segment).size;
    await writeTurn(writer, [second]);
    const rest = readFileSync(segment).subarray(bytes + 50);
    writeFileSync(segment, readFileSync(segment).subarray(0, bytes + 50));
    ship(dir, store);
    await soon(() => expect(store.stored).toEqual([first.requestId]));
    appendFileSync(segment, rest);
    await soon(() => expect(store.stored).toEqual(idsOf([first, second])));
  });

  it('puts damage in the middle aside and ships what is sound around it', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer, instance } = openWriter(dir);
    const all = records(3);
    const ends: number[] = [];
    for (const one of all) {
      await writeTurn(writer, [one]);
      ends.push(statSync(segmentsOf(dir, instance)[0] ?? '').size);
    }
    const [segment = ''] = segmentsOf(dir, instance);
    const bytes = readFileSync(segment);
    bytes[(ends[0] ?? 0) + 100] = 0;
    writeFileSync(segment, bytes);
    // Another segment makes this one final.
    writeFileSync(segment.replace('00000001', '00000002'), '');
    const { status } = await shipAll(dir, store);
    expect(store.stored).toEqual(idsOf(all.filter((_, i) => i !== 1)));
    expect(status.rejected).toBe(1);
    const [name = ''] = readdirSync(join(dir, 'rejected'));
    expect(name).toMatch(/\.damaged$/);
    expect(statSync(join(dir, 'rejected', name)).size).toBe((ends[1] ?? 0) - (ends[0] ?? 0));
  });

  it('isolates records the database refuses, puts them aside, and stores all others', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer } = openWriter(dir);
    const all = records(100);
    const poison = new Set([all[0], all[41], all[42], all[99]].map((one) => one?.requestId ?? ''));
    store.refuse = (ids) =>
      ids.some((id) => poison.has(id))
        ? new DomainError('invalidInput', 'A value cannot be stored (22P02: invalid: "secret")')
        : null;
    await writeTurn(writer, all);
    const { status, log } = await shipAll(dir, store);
    expect([...store.stored].sort()).toEqual(
      idsOf(all)
        .filter((id) => !poison.has(id))
        .sort(),
    );
    expect(status).toMatchObject({ shipped: 96, rejected: 4, failing: false });
    // The server's sentence quotes values: the log must not.
    expect(log.error.mock.calls.map(([details]) => details as object)).toEqual([
      { why: '22P02', rejected: 4, kept: true },
    ]);
    const aside = readFileSync(join(dir, 'rejected/records.jsonl'), 'utf8').trim().split('\n');
    expect(new Set(aside.map((l) => (JSON.parse(l) as { request_id: string }).request_id))).toEqual(poison);
    const later = record();
    await writeTurn(writer, [later]);
    await shipAll(dir, store);
    expect(store.stored).toContain(later.requestId);
  });

  it('puts nothing aside when the database refuses everything for a reason of its own', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer } = openWriter(dir);
    const all = records(200);
    await writeTurn(writer, all);
    const refuse = vi.fn(() => new DomainError('internal', '42P01: relation "predictions" does not exist'));
    store.refuse = refuse;
    const { status } = await shipAll(dir, store);
    expect(status).toMatchObject({ shipped: 0, rejected: 0, failing: true });
    // Two rounds, not one try for each of 200 records and each of their groups.
    expect(refuse.mock.calls.length).toBeLessThan(100);
    expect(existsSync(join(dir, 'rejected'))).toBe(false);
    store.refuse = () => null;
    await shipAll(dir, store);
    expect(store.stored).toEqual(idsOf(all));
  });

  it('keeps everything while the database is away, and catches up', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    store.away = true;
    const { writer } = openWriter(dir);
    const { shipper, log } = ship(dir, store);
    const all = records(50, { createdAtMs: Date.now() });
    for (const one of all) await writeTurn(writer, [one]);
    await soon(() => {
      expect(shipper.status()).toMatchObject({ failing: true, shipped: 0 });
      expect(shipper.status().waiting).toBeGreaterThan(10);
      expect(shipper.status().lagSeconds).toBeGreaterThan(0);
    });
    expect(log.warn).toHaveBeenCalledTimes(1);
    store.away = false;
    await soon(() => expect(store.stored).toEqual(idsOf(all)));
    await soon(() => expect(shipper.status()).toMatchObject({ failing: false, waiting: 0, lagSeconds: 0 }));
    expect(log.info).toHaveBeenCalledTimes(1);
  });

  it('stores once when the answer to a commit was lost', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    store.losesAnswers = 2;
    const { writer } = openWriter(dir);
    const all = records(10);
    await writeTurn(writer, all);
    ship(dir, store);
    await soon(() => expect(store.losesAnswers).toBe(1));
    await writeTurn(writer, [record()]);
    await soon(() => expect(store.stored).toHaveLength(11));
    await soon(() => expect(store.batches).toEqual([10, 1]));
  });

  it('ships a backlog at its pace, and no slower than it must near the bound', async () => {
    const dir = temporaryFolder();
    const { writer } = openWriter(dir);
    for (let i = 0; i < 6; i += 1) await writeTurn(writer, records(500));
    const bytes = segmentsOf(dir, readdirSync(dir)[0] ?? '').reduce((sum, path) => sum + statSync(path).size, 0);
    const timeOf = async (bytesMax: number) => {
      const store = new FakeStore();
      const startedAt = performance.now();
      const { shipper } = ship(dir, store, { recordsPerSecond: 2_000, bounds: { ...BOUNDS, bytesMax } });
      await soon(() => expect(shipper.status().shipped).toBe(3_000));
      expect(store.batches).toEqual([1_000, 1_000, 1_000]);
      return performance.now() - startedAt;
    };
    expect(await timeOf(bytes * 10)).toBeGreaterThan(950);
    expect(await timeOf(bytes * 1.5)).toBeLessThan(900);
  });

  it('ships the records of every process in turn, however long the backlog of one', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const [busy, quiet] = [openWriter(dir), openWriter(dir)];
    for (let i = 0; i < 4; i += 1) await writeTurn(busy.writer, records(1_000));
    const one = record();
    await writeTurn(quiet.writer, [one]);
    ship(dir, store, { recordsPerSecond: 1_000 });
    await soon(() => expect(store.stored).toContain(one.requestId));
    expect(store.stored.length).toBeLessThan(3_000);
  });

  it('two on one folder store each record once and lose none', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer } = openWriter(dir, { segmentBytes: 5_000 });
    const shippers = [ship(dir, store), ship(dir, store), ship(dir, store)];
    const all: string[] = [];
    for (let i = 0; i < 60; i += 1) {
      const turn = records(5);
      all.push(...idsOf(turn));
      await writeTurn(writer, turn);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    await soon(() => expect(store.stored).toHaveLength(300));
    expect([...store.stored].sort()).toEqual(all.sort());
    for (const { shipper } of shippers) expect(shipper.status()).toMatchObject({ rejected: 0, dropped: 0 });
  });
});
