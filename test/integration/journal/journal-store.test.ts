import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLineEncoder } from '../../../api/journal/record-line.ts';
import { openTestRegistry, prediction, race, type TestRegistry } from '../db/fixture.ts';

let t: TestRegistry;
beforeEach(async () => {
  t = await openTestRegistry();
});
afterEach(() => t.close());

const lineOf = createLineEncoder();
const instance = randomUUID();
const move = (sinceBytes: number, untilBytes: number, segment = 1) => ({ instance, segment, sinceBytes, untilBytes });
const count = async () => Number((await t.sql`select count(*) as n from predictions`)[0]!['n']);

describe('shipping to the database', () => {
  it('stores a record as the write-behind does, to the millisecond', async () => {
    const { journal, records } = t.registry;
    const all = [
      prediction({ createdAtMs: Date.now() }),
      prediction({ createdAtMs: 1_750_000_000_001, rolloutId: randomUUID(), variant: 'candidate', entityId: 'Ä "1"' }),
      prediction({ createdAtMs: 1_750_000_000_999, features: { text: 'a\nb\\u0041', n: -1.5e-7, none: null } }),
    ];
    expect(await journal.ship(all.map(lineOf), [move(0, 100)])).toBe('shipped');
    for (const one of all) {
      const found = await records.findPrediction(one.requestId);
      expect(found).toEqual({ ...one, latencyMs: expect.closeTo(one.latencyMs, 3) as number });
    }
    // The same record by the other way is the same row.
    await records.savePredictions(all);
    expect(await count()).toBe(3);
  });

  it('stores what no column can hold with the replacement character', async () => {
    const odd = prediction({ entityId: 'a\u0000b', features: { 'k\u0000': 'x\ud800', plain: '\\u0000' } });
    await t.registry.journal.ship([lineOf(odd), lineOf(prediction())], []);
    expect(await t.registry.records.findPrediction(odd.requestId)).toMatchObject({
      entityId: 'a\ufffdb',
      features: { 'k\ufffd': 'x\ufffd', plain: '\\u0000' },
    });
    expect(await count()).toBe(2);
  });

  it('moves positions by compare-and-set, all or none, with the records', async () => {
    const { journal } = t.registry;
    expect(await journal.ship([lineOf(prediction())], [move(0, 100), move(0, 50, 2)])).toBe('shipped');
    expect(await journal.ship([lineOf(prediction())], [move(100, 200), move(0, 80, 2)])).toBe('overtaken');
    expect(await count()).toBe(1);
    const positions = await journal.positions([instance, randomUUID(), 'no uuid']);
    expect([...positions].sort((a, b) => a.segment - b.segment)).toEqual([
      { instance, segment: 1, bytes: 100 },
      { instance, segment: 2, bytes: 50 },
    ]);
    await journal.forget([{ instance, segment: 1 }]);
    expect(await journal.positions([instance])).toEqual([{ instance, segment: 2, bytes: 50 }]);
  });

  it('stores a part once when many ship it at the same time', async () => {
    const others = Array.from({ length: 6 }, () => t.another({ poolConnectionsMax: 1 }));
    const lines = Array.from({ length: 50 }, () => lineOf(prediction()));
    for (const [since, until] of [
      [0, 100],
      [100, 200],
    ] as const) {
      const { won, lost } = await race(others.map(({ journal }) => journal.ship(lines, [move(since, until)])));
      expect(lost).toEqual([]);
      expect(won.filter((outcome) => outcome === 'shipped')).toHaveLength(1);
    }
    expect(await count()).toBe(50);
  });

  it('refuses a batch for one line, and stores nothing of it', async () => {
    const { journal } = t.registry;
    const good = lineOf(prediction());
    const secret = 'secret-value';
    for (const bad of [
      `{"request_id":"${secret}"}`,
      'no json',
      good.replace(/"created_at_ms":\d+/, `"created_at_ms":"${secret}"`),
    ]) {
      const shipping = journal.ship([good, bad], [move(0, 100)]);
      await expect(shipping).rejects.toMatchObject({ code: 'invalidInput' });
    }
    expect(await count()).toBe(0);
    expect(await journal.positions([instance])).toEqual([]);
  });
});
