import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRecordSink } from '../../../../api/serving/record-sink.ts';
import { DomainError } from '../../../../domain/errors.ts';
import type { PredictionRecord } from '../../../../domain/records.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const record = (i: number): PredictionRecord => ({
  requestId: String(i),
  model: 'm',
  version: 1,
  variant: 'champion',
  rolloutId: null,
  entityId: null,
  features: {},
  probability: 0.5,
  label: 'yes',
  risk: 'low',
  latencyMs: 1,
  createdAtMs: 0,
});
const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));

function sinkWith(save: (rows: readonly PredictionRecord[]) => Promise<void>, queueLimit?: number) {
  const batches: string[][] = [];
  const stored: string[] = [];
  const logged: string[] = [];
  const note = (_: object, message: string) => logged.push(message);
  const sink = createRecordSink({
    records: {
      savePredictions: async (rows) => {
        batches.push(rows.map((r) => r.requestId));
        await save(rows);
        stored.push(...rows.map((r) => r.requestId));
      },
    },
    log: { info: note, warn: note, error: note },
    ...(queueLimit === undefined ? {} : { queueLimit }),
  });
  const write = (from: number, to: number) => {
    for (let i = from; i < to; i += 1) sink.write(record(i));
  };
  return { sink, batches, stored, logged, write };
}

const away = () => Promise.reject(new DomainError('unavailable', 'away'));

describe('the record sink', () => {
  it('writes what came within an interval in one batch', async () => {
    const { batches, write, sink } = sinkWith(() => Promise.resolve());
    write(0, 3);
    await vi.advanceTimersByTimeAsync(199);
    expect(batches).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches).toEqual([['0', '1', '2']]);
    expect(sink.queued()).toBe(0);
  });

  it('writes full batches at once, at most 500 rows each, in order', async () => {
    const { batches, stored, write } = sinkWith(() => Promise.resolve());
    write(0, 1234);
    await vi.advanceTimersByTimeAsync(0);
    expect(batches.map((b) => b.length)).toEqual([500, 500]);
    await vi.advanceTimersByTimeAsync(200);
    expect(stored).toEqual(ids(0, 1234));
  });

  it('keeps everything through an outage shorter than its buffer, with growing pauses, and logs once a minute', async () => {
    let up = false;
    const { batches, stored, logged, write } = sinkWith(() => (up ? Promise.resolve() : away()));
    write(0, 10);
    await vi.advanceTimersByTimeAsync(30_000);
    // 0.2, 0.7, 1.7, 3.7, 7.7, 15.7 s and a tick or two of rounding.
    expect(batches.length).toBeGreaterThan(4);
    expect(batches.length).toBeLessThan(9);
    expect(logged).toHaveLength(1);
    write(10, 20);
    up = true;
    await vi.advanceTimersByTimeAsync(16_000);
    expect(stored).toEqual(ids(0, 20));
  });

  it('drops the oldest when full, counts them, and stores the rest once each', async () => {
    let up = false;
    const { sink, stored, logged, write } = sinkWith(() => (up ? Promise.resolve() : away()), 1000);
    write(0, 1600);
    expect(sink.queued()).toBe(1000);
    expect(sink.dropped()).toBe(600);
    expect(logged).toContain('the buffer of prediction records is full: the oldest are dropped');
    up = true;
    await vi.advanceTimersByTimeAsync(16_000);
    expect(stored).toEqual(ids(600, 1600));
    expect(sink.queued()).toBe(0);
  });

  it('loses nothing more when the oldest are dropped while a batch is on its way', async () => {
    let finish!: () => void;
    const { sink, stored, write } = sinkWith(() => new Promise((resolve) => (finish = resolve)), 1000);
    write(0, 500);
    write(500, 1200);
    // The batch 0..499 is on its way; 200 of it were dropped from the ring meanwhile.
    expect(sink.dropped()).toBe(200);
    finish();
    await vi.advanceTimersByTimeAsync(0);
    finish();
    await vi.advanceTimersByTimeAsync(0);
    expect(stored).toEqual(ids(0, 1000));
    expect(sink.queued()).toBe(200);
  });

  it('finds the one record that cannot be stored, and stores all others', async () => {
    const { sink, stored, write } = sinkWith((rows) =>
      rows.some((r) => r.requestId === '321') ? Promise.reject(new Error('bad row')) : Promise.resolve(),
    );
    write(0, 600);
    await vi.advanceTimersByTimeAsync(300_000);
    expect(stored).toEqual(ids(0, 600).filter((id) => id !== '321'));
    expect(sink.dropped()).toBe(1);
  });

  it('writes what is left when it closes, through a short outage', async () => {
    let failures = 3;
    const { sink, stored, write } = sinkWith(() => (failures-- > 0 ? away() : Promise.resolve()));
    write(0, 700);
    const closed = sink.close(5000);
    await vi.advanceTimersByTimeAsync(5000);
    await closed;
    expect(stored).toEqual(ids(0, 700));
  });

  it('ends within its time limit when the database never answers, and says what is lost', async () => {
    const { sink, logged, write } = sinkWith(() => new Promise(() => undefined));
    write(0, 10);
    const closed = sink.close(1000);
    await vi.advanceTimersByTimeAsync(1000);
    await closed;
    expect(logged).toEqual(['prediction records were not written before the process ended']);
  });
});
