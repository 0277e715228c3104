import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { runInPieces } from '../../../../models/serving/run-in-pieces.ts';

const WIDTH = 3;
const sums = (matrix: Float32Array, rows: number): Float32Array => {
  expect(matrix.length).toBe(rows * WIDTH);
  return Float32Array.from({ length: rows }, (_, row) =>
    matrix.subarray(row * WIDTH, (row + 1) * WIDTH).reduce((a, b) => a + b, 0),
  );
};

describe('running in pieces', () => {
  it('gives every row its own answer, whatever their number', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 300 }), fc.boolean(), async (rows, isLater) => {
        const matrix = Float32Array.from({ length: rows * WIDTH }, (_, i) => i);
        const run = runInPieces((m, n) => (isLater ? Promise.resolve(sums(m, n)) : sums(m, n)), WIDTH);
        expect(await run(matrix, rows)).toEqual(sums(matrix, rows));
      }),
    );
  });

  it('fails when a piece is answered with too few values', () => {
    const run = runInPieces((_, rows) => new Float32Array(rows - 1), WIDTH);
    expect(() => run(new Float32Array(100 * WIDTH), 100)).toThrow('31 values for 32 rows');
  });
});
