import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_COUNTS } from '../../../domain/records.ts';
import { counts, openTestRegistry, prediction, type TestRegistry } from './fixture.ts';

const DAY_MS = 86_400_000;
let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

const partitionOf = async (requestId: string): Promise<string> => {
  const [row] = await t.sql`select tableoid::regclass::text as name from predictions where request_id = ${requestId}`;
  return row!['name'] as string;
};
const dayName = (ms: number) => `predictions_${new Date(ms).toISOString().slice(0, 10).replaceAll('-', '')}`;
const countOf = async (model: string) => {
  const [row] = await t.sql`select count(*)::int as n from predictions where model = ${model}`;
  return row!['n'] as number;
};

describe('predictions', () => {
  it('gives back what was saved', async () => {
    const record = prediction({ rolloutId: randomUUID(), entityId: 'e', variant: 'candidate', risk: 'high' });
    await t.registry.records.savePredictions([record]);
    expect(await t.registry.records.findPrediction(record.requestId)).toEqual(record);
    expect(await t.registry.records.findPrediction(randomUUID())).toBeNull();
    expect(await t.registry.records.findPrediction('no uuid')).toBeNull();
  });

  it('saves 10,000 and more rows, once however often they come', async () => {
    const records = Array.from({ length: 10_500 }, () => prediction({ model: 'many' }));
    await t.registry.records.savePredictions(records);
    await Promise.all([t.registry.records, t.another().records].map((r) => r.savePredictions(records.slice(5_000))));
    expect(await countOf('many')).toBe(10_500);
    await t.registry.records.savePredictions([]);
  });

  it('saves texts that Postgres cannot hold with the replacement character, not losing their batch', async () => {
    const bad = prediction({ entityId: 'a\u0000b', features: { colour: '\u0000 \ud800 \udc00\ud800 ok \u{1f600}' } });
    const good = prediction();
    await t.registry.records.savePredictions([good, bad]);
    expect(await t.registry.records.findPrediction(bad.requestId)).toMatchObject({
      entityId: 'a\ufffdb',
      features: { colour: '\ufffd \ufffd \ufffd\ufffd ok \u{1f600}' },
    });
    expect(await t.registry.records.findPrediction(good.requestId)).toEqual(good);
  });

  it('puts each row into the partition of its UTC day, the first and last millisecond included', async () => {
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const times = [midnight - 1, midnight, midnight + DAY_MS - 1, midnight + DAY_MS];
    const records = times.map((createdAtMs) => prediction({ createdAtMs }));
    await t.registry.records.savePredictions(records);
    const found = await Promise.all(records.map((r) => partitionOf(r.requestId)));
    expect(found).toEqual(times.map(dayName));
  });
});

describe('ensurePartitions', () => {
  it('takes over the rows of a day from the default partition, and leaves those of other days there', async () => {
    const nextYear = Math.floor(Date.now() / DAY_MS) * DAY_MS + 400 * DAY_MS;
    const future = t.another({ nowMs: () => nextYear }).records;
    const inDay = [0, 1, DAY_MS - 1].map((ms) => prediction({ createdAtMs: nextYear + ms }));
    const farther = prediction({ createdAtMs: nextYear + 40 * DAY_MS });
    await t.registry.records.savePredictions([...inDay, farther]);
    expect(await partitionOf(inDay[0]!.requestId)).toBe('predictions_default');
    await future.ensurePartitions(2);
    for (const record of inDay) {
      expect(await partitionOf(record.requestId)).toBe(dayName(nextYear));
      expect(await t.registry.records.findPrediction(record.requestId)).toEqual(record);
    }
    expect(await partitionOf(farther.requestId)).toBe('predictions_default');
    // A row that was moved is still known as saved.
    await t.registry.records.savePredictions(inDay);
    const [row] = await t.sql`select count(*)::int as n from predictions where created_at >= ${new Date(nextYear)}`;
    expect(row!['n']).toBe(4);
  });

  it('makes yesterday to so many days ahead, each with the indexes of the whole, however often and from many processes', async () => {
    const start = Math.floor(Date.now() / DAY_MS) * DAY_MS + 800 * DAY_MS;
    const stores = [t.another({ nowMs: () => start }), t.another({ nowMs: () => start + 3_600_000 })];
    await Promise.all([...stores, ...stores].map((r) => r.records.ensurePartitions(3)));
    const names = [-1, 0, 1, 2, 3].map((d) => dayName(start + d * DAY_MS));
    const rows = await t.sql`select inhrelid::regclass::text as name,
        (select count(*)::int from pg_index where indrelid = inhrelid) as indexes
      from pg_inherits where inhparent = 'predictions'::regclass`;
    const made = rows.filter((r) => names.includes(r['name'] as string));
    expect(made.map((r) => r['name'] as string).sort()).toEqual(names);
    for (const r of made) expect(r['indexes']).toBe(3);
  });

  it('loses no row that is written while it moves them', async () => {
    const day = Math.floor(Date.now() / DAY_MS) * DAY_MS + 900 * DAY_MS;
    const records = Array.from({ length: 400 }, (_, i) => prediction({ model: 'moving', createdAtMs: day + i }));
    const writing = Promise.all(
      Array.from({ length: 40 }, (_, i) => t.registry.records.savePredictions(records.slice(i * 10, i * 10 + 10))),
    );
    await t.another({ nowMs: () => day }).records.ensurePartitions(0);
    await writing;
    expect(await countOf('moving')).toBe(400);
  });
});

describe('feedback', () => {
  const rowsOf = (model: string) => t.sql`select request_id, entity_id, label from feedback where model = ${model}`;

  it('keeps one truth per request: a later report replaces the earlier, at the same time too', async () => {
    const record = prediction({ model: 'truth', entityId: 'e1' });
    await t.registry.records.savePredictions([record]);
    const report = { requestId: record.requestId, entityId: null, model: 'truth', occurredAtMs: Date.now() };
    const other = t.another().records;
    await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        (i % 2 ? other : t.registry.records).saveFeedback({ ...report, label: `${i}` }),
      ),
    );
    expect(await t.registry.records.saveFeedback({ ...report, label: 'yes' })).toEqual({ matched: 1 });
    expect(await rowsOf('truth')).toEqual([{ request_id: record.requestId, entity_id: 'e1', label: 'yes' }]);
  });

  it('gives a report on an entity to its latest prediction of that model', async () => {
    const now = Date.now();
    const [old, latest, foreign] = [
      prediction({ model: 'entity', entityId: 'e', createdAtMs: now - DAY_MS }),
      prediction({ model: 'entity', entityId: 'e', createdAtMs: now }),
      prediction({ model: 'other', entityId: 'e', createdAtMs: now + 1 }),
    ];
    await t.registry.records.savePredictions([latest, old, foreign]);
    const report = { requestId: null, entityId: 'e', model: 'entity', label: 'yes', occurredAtMs: now };
    expect(await t.registry.records.saveFeedback(report)).toEqual({ matched: 1 });
    expect(await rowsOf('entity')).toMatchObject([{ request_id: latest.requestId }]);
  });

  it('keeps a report whose prediction is not written yet, and one on an entity without any, once each', async () => {
    const report = { model: 'early', label: 'yes', occurredAtMs: Date.now() };
    const requestId = randomUUID();
    for (const label of ['no', 'yes']) {
      const byRequest = { ...report, label, requestId, entityId: null };
      expect(await t.registry.records.saveFeedback(byRequest)).toEqual({ matched: 0 });
      const byEntity = { ...report, label, requestId: null, entityId: 'nobody' };
      expect(await t.registry.records.saveFeedback(byEntity)).toEqual({ matched: 0 });
    }
    expect((await rowsOf('early')).map((r) => r['label'] as string)).toEqual(['yes', 'yes']);
  });

  it('refuses a report without an id, with no UUID, and on a request that another model answered', async () => {
    const record = prediction({ model: 'one' });
    await t.registry.records.savePredictions([record]);
    const report = { requestId: null, entityId: null, model: 'two', label: 'yes', occurredAtMs: Date.now() };
    for (const [over, field] of [
      [{}, 'request_id'],
      [{ requestId: 'x' }, 'request_id'],
      [{ requestId: record.requestId }, 'model'],
    ] as const) {
      await expect(t.registry.records.saveFeedback({ ...report, ...over })).rejects.toMatchObject({
        code: 'invalidInput',
        problems: [{ field }],
      });
    }
    expect(await rowsOf('two')).toHaveLength(0);
  });
});

describe('observe', () => {
  it('sums the counters of a rollout per variant, and counts the windows in which the candidate had traffic', async () => {
    const rolloutId = randomUUID();
    const start = 1_750_000_000_000;
    const at = (s: number) => ({ rolloutId, windowStartMs: start + s * 1_000 });
    const rows = [
      counts({ ...at(-1), requests: 1_000 }), // before the rollout's first window
      counts(at(0)),
      counts(at(3)), // another process, the same window
      counts({ ...at(10), latencySumMs: 0.5 }),
      counts({ ...at(20), requests: 0, errors: 0, slow: 0, latencySumMs: 0 }),
      counts({ ...at(30), variant: 'champion', version: 1, requests: 90 }),
      counts({ ...at(30), rolloutId: randomUUID(), requests: 5_000 }),
    ];
    await t.registry.records.saveCounts(rows);
    await t.registry.records.saveCounts(rows);
    // Half-way through the first window, which still counts whole.
    expect(await t.registry.records.observe(rolloutId, start + 5_000)).toMatchObject({
      candidate: { requests: 30, errors: 3, slow: 6, latencySumMs: 25.5 },
      champion: { requests: 90, errors: 1, slow: 2, latencySumMs: 12.5 },
      windows: 2,
    });
  });

  it('is empty for a rollout without traffic', async () => {
    const none = { byWindow: [], outcomes: [], keys: null, shadow: null, scores: [] };
    const nothing = { candidate: NO_COUNTS, champion: NO_COUNTS, windows: 0, ...none };
    expect(await t.registry.records.observe(randomUUID(), 0)).toEqual(nothing);
  });
});
