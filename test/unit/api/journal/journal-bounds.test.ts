import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { FakeStore } from './fake-store.ts';
import { BOUNDS, ship, shipAll, soon } from './shipping.ts';
import { idsOf, openWriter, records, segmentsOf, temporaryFolder, writeTurn } from './support.ts';

describe('the bounds of the journal', () => {
  it('drops the oldest segments at the bound of bytes, counts their records, says so, and keeps the rest', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    store.away = true;
    const { writer, instance } = openWriter(dir, { segmentBytes: 10_000 });
    const all = records(400);
    for (const one of all) await writeTurn(writer, [one]);
    const { shipper, log } = ship(dir, store, { bounds: { ...BOUNDS, bytesMax: 40_000 } });
    await soon(() => {
      expect(shipper.status().dropped).toBeGreaterThan(0);
      expect(shipper.status().bytes).toBeLessThan(41_000);
    });
    expect(segmentsOf(dir, instance).length).toBeGreaterThan(2);
    const { dropped } = shipper.status();
    expect(dropped).toBeGreaterThan(200);
    expect(log.error.mock.calls.map(([, message]) => message as string)).toEqual([
      expect.stringContaining('at its bound'),
    ]);
    store.away = false;
    await soon(() => expect(store.stored).toHaveLength(400 - dropped));
    expect(store.stored).toEqual(idsOf(all).slice(dropped));
  });

  it('drops by age only what could not be shipped for long: a clock that jumps loses nothing', async () => {
    const dir = temporaryFolder();
    const store = new FakeStore();
    const { writer } = openWriter(dir, { segmentBytes: 1 });
    const all = records(3);
    for (const one of all) await writeTurn(writer, [one]);
    const wall = vi.spyOn(Date, 'now');
    const year = Date.now() + 365 * 86_400_000;
    wall.mockImplementation(() => year);
    store.away = true;
    const { shipper } = ship(dir, store);
    await soon(() => expect(shipper.status().failing).toBe(true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(shipper.status().dropped).toBe(0);
    const clock = vi.spyOn(performance, 'now');
    const now = performance.now();
    clock.mockImplementation(() => now + 11 * 60_000);
    await soon(() => expect(shipper.status().dropped).toBe(3));
    clock.mockRestore();
    wall.mockRestore();
    expect(store.stored).toEqual([]);
  });

  it('takes nothing else in the folder for a journal', async () => {
    const dir = temporaryFolder();
    mkdirSync(join(dir, 'lost+found'));
    writeFileSync(join(dir, 'note.txt'), 'x');
    const { status } = await shipAll(dir, new FakeStore());
    expect(status).toMatchObject({ bytes: 0, failing: false });
    expect(readdirSync(dir).sort()).toEqual(['lost+found', 'note.txt']);
    expect((await shipAll(join(dir, 'missing'), new FakeStore())).status.failing).toBe(false);
  });
});
