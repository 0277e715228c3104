import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BULK_CHUNK_ROWS, MAX_BATCH_ROWS, RowBatcher } from '../../../../models/serving/row-batcher.ts';

/** Echoes the first float of each row, a turn later, as onnxruntime does; fails when a row says so. */
function echo(width: number, fails: (value: number) => boolean = () => false) {
  const runs: number[] = [];
  const batcher = new RowBatcher(
    width,
    async (matrix, rows) => {
      expect(matrix).toHaveLength(rows * width);
      await nextTurn();
      const answers = Float32Array.from({ length: rows }, (_, i) => matrix[i * width] ?? NaN);
      if (answers.some(fails)) throw new Error('run failed');
      return answers;
    },
    (rows) => runs.push(rows),
  );
  return { batcher, runs };
}

describe('the row batcher', () => {
  it('runs the rows of one turn together', async () => {
    const { batcher, runs } = echo(2);
    const answers = await Promise.all([1, 2, 3].map((n) => batcher.predictOne(Float32Array.of(n, 0))));
    expect(answers).toEqual([1, 2, 3]);
    expect(runs).toEqual([3]);
  });

  it('lets the caller use its buffer again at once', async () => {
    const { batcher } = echo(1);
    const row = new Float32Array(1);
    const answers: Promise<number>[] = [];
    for (let i = 0; i < 10; i += 1) {
      row[0] = i;
      answers.push(batcher.predictOne(row));
    }
    expect(await Promise.all(answers)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const rows = Float32Array.of(1, 2);
    const many = batcher.predictMany(rows, 2);
    rows.fill(9);
    expect([...(await many)]).toEqual([1, 2]);
  });

  it('never mixes answers, whatever arrives when', async () => {
    let next = 1;
    const call = fc.record({ rows: fc.integer({ min: 0, max: 400 }), turns: fc.integer({ min: 0, max: 2 }) });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 60 }), async (calls) => {
        const { batcher, runs } = echo(3);
        const answered = calls.map(async ({ rows, turns }) => {
          for (let i = 0; i < turns; i += 1) await nextTurn();
          // Distinct below 2^24, so exact as float32.
          const ids = Array.from({ length: rows }, () => (next = (next + 1) % 16_000_000));
          const matrix = Float32Array.from(ids.flatMap((id) => [id, -id, 0.5]));
          const answers =
            rows === 1 ? [await batcher.predictOne(matrix)] : [...(await batcher.predictMany(matrix, rows))];
          expect(answers).toEqual(ids);
        });
        await Promise.all(answered);
        expect(Math.max(0, ...runs)).toBeLessThanOrEqual(MAX_BATCH_ROWS);
        expect(runs.reduce((a, b) => a + b, 0)).toBe(calls.reduce((a, c) => a + c.rows, 0));
      }),
      { numRuns: 50 },
    );
  });

  it('answers single rows between the chunks of a large request', async () => {
    const { batcher } = echo(1);
    let bulkDone = false;
    const bulk = batcher.predictMany(new Float32Array(40 * BULK_CHUNK_ROWS), 40 * BULK_CHUNK_ROWS).then(() => {
      bulkDone = true;
    });
    for (let i = 0; i < 5; i += 1) {
      expect(await batcher.predictOne(Float32Array.of(i))).toBe(i);
      expect(bulkDone).toBe(false);
    }
    await bulk;
  });

  it('shares the runs among large requests', async () => {
    const { batcher } = echo(1);
    const order: string[] = [];
    const request = (name: string, chunks: number) =>
      batcher.predictMany(new Float32Array(chunks * BULK_CHUNK_ROWS), chunks * BULK_CHUNK_ROWS).then(() => {
        order.push(name);
      });
    await Promise.all([request('large', 10), request('small', 1)]);
    expect(order).toEqual(['small', 'large']);
  });

  it('fails the bad row alone when a run fails', async () => {
    const { batcher } = echo(1, (v) => v === 13);
    const calls = Array.from({ length: 20 }, (_, i) => batcher.predictOne(Float32Array.of(i)));
    const bulk = batcher.predictMany(Float32Array.of(1, 2), 2);
    const settled = await Promise.allSettled(calls);
    expect(settled.flatMap((s, i) => (s.status === 'rejected' ? [i] : []))).toEqual([13]);
    expect([...(await bulk)]).toEqual([1, 2]);
    expect(await batcher.predictOne(Float32Array.of(5))).toBe(5);
  });

  it('rejects a large request whose chunk fails, and gives its place back', async () => {
    const { batcher } = echo(1, (v) => v === 13);
    // 130 times the 872 rows behind the first chunk pass the limit of waiting rows, if a failed request stays counted.
    for (let i = 0; i < 130; i += 1) {
      await expect(batcher.predictMany(new Float32Array(1000).fill(13), 1000)).rejects.toThrow('run failed');
    }
    expect([...(await batcher.predictMany(Float32Array.of(1), 1))]).toEqual([1]);
  });

  it('gives up isolating when the model fails for everyone', async () => {
    const { batcher, runs } = echo(1, () => true);
    const calls = Array.from({ length: 100 }, (_, i) => batcher.predictOne(Float32Array.of(i)));
    const settled = await Promise.allSettled(calls);
    expect(settled.every((s) => s.status === 'rejected')).toBe(true);
    expect(runs.length).toBeLessThan(12);
  });

  it('refuses rows beyond its limits instead of growing', async () => {
    const { batcher } = echo(1);
    const calls = Array.from({ length: 8_193 }, () => batcher.predictOne(Float32Array.of(1)));
    const settled = await Promise.allSettled(calls);
    const rejected = settled.filter((s) => s.status === 'rejected');
    expect(rejected).toHaveLength(1);
    expect(rejected[0]!.reason).toMatchObject({ code: 'unavailable' });
    await expect(batcher.predictMany(new Float32Array(100_001), 100_001)).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(await batcher.predictOne(Float32Array.of(7))).toBe(7);
  });

  it('drains: answers what waits and refuses what comes later', async () => {
    const { batcher } = echo(1);
    const waiting = [
      batcher.predictOne(Float32Array.of(1)),
      batcher.predictMany(new Float32Array(1000), 1000),
    ] as const;
    let drained = false;
    const draining = batcher.drain().then(() => {
      drained = true;
    });
    await expect(batcher.predictOne(Float32Array.of(2))).rejects.toMatchObject({ code: 'unavailable' });
    expect(await waiting[0]).toBe(1);
    expect(drained).toBe(false);
    expect(await waiting[1]).toHaveLength(1000);
    await draining;
    await batcher.drain();
  });
});
