import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splits, stratifiedFolds } from '../../../../models/training/folds.ts';

const labelled = fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 10, maxLength: 200 }).map((labels) => {
  return Uint8Array.from([...labels, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
});
const every = (labels: Uint8Array) => Int32Array.from(labels.keys());

describe('stratifiedFolds', () => {
  it('gives every fold its share of both classes', () => {
    fc.assert(
      fc.property(labelled, fc.integer({ min: 2, max: 5 }), fc.integer(), (labels, count, seed) => {
        const { fold } = stratifiedFolds(labels, every(labels), count, seed);
        for (const label of [0, 1]) {
          const sizes = Array.from({ length: count }, (_, k) => {
            return [...fold.keys()].filter((i) => fold[i] === k && labels[i] === label).length;
          });
          expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        }
      }),
    );
  });

  it('validates every row once, on a model trained on all others', () => {
    const labels = Uint8Array.from({ length: 40 }, (_, i) => i % 2);
    const rows = every(labels).map((row) => row + 100);
    const shifted = new Uint8Array(140).map((_, i) => (i >= 100 ? labels[i - 100]! : 0));
    const parts = splits(stratifiedFolds(shifted, rows, 4, 3));
    const validated = parts.flatMap((p) => [...p.validation]).sort((a, b) => a - b);
    expect(validated).toEqual([...rows]);
    for (const part of parts) {
      expect([...part.train, ...part.validation].sort((a, b) => a - b)).toEqual([...rows]);
      expect([...part.validationPositions].map((i) => rows[i])).toEqual([...part.validation]);
    }
  });

  it('is the same for the same seed and another for another', () => {
    const labels = Uint8Array.from({ length: 60 }, (_, i) => i % 2);
    const of = (seed: number) => [...stratifiedFolds(labels, every(labels), 5, seed).fold];
    expect(of(7)).toEqual(of(7));
    expect(of(7)).not.toEqual(of(8));
  });

  it('says which class is too small', () => {
    const labels = Uint8Array.of(0, 0, 0, 0, 0, 0, 1, 1);
    expect(() => stratifiedFolds(labels, every(labels), 5, 1)).toThrow(/at least 5 positive rows.*there are 2/);
  });
});
