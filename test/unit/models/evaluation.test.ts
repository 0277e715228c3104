import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { chooseThreshold, evaluate } from '../../../models/evaluation.ts';
import type { Evaluation } from '../../../domain/evaluation.ts';

interface ReferenceCase {
  name: string;
  labels: number[];
  probabilities: number[];
  threshold: number;
  expected: Omit<Evaluation, 'rows' | 'positives' | 'threshold'>;
}
const path = new URL('../../reference/evaluation.json', import.meta.url);
const cases = JSON.parse(readFileSync(path, 'utf8')) as ReferenceCase[];

describe('evaluate', () => {
  it.each(cases)('agrees with scikit-learn on $name', ({ labels, probabilities, threshold, expected }) => {
    const { confusion, ...metrics } = expected;
    const actual = evaluate(labels, probabilities, threshold);
    expect(actual.confusion).toEqual(confusion);
    for (const [metric, value] of Object.entries(metrics)) {
      expect(actual[metric as keyof typeof metrics], metric).toBeCloseTo(value, 12);
    }
  });

  it('refuses rows of one class, no rows, and lengths that differ', () => {
    expect(() => evaluate([1, 1], [0.2, 0.3], 0.5)).toThrow(/both classes; 2 of 2/);
    expect(() => evaluate([], [], 0.5)).toThrow(/one probability per label/);
    expect(() => evaluate([1, 0], [0.2], 0.5)).toThrow(/2 labels, 1 probabilities/);
  });
});

const scored = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 1 }), fc.double({ min: 0, max: 1, noNaN: true })), { minLength: 2 })
  .map((rows) => [[0, 0.1] as const, [1, 0.9] as const, ...rows]);

describe('chooseThreshold', () => {
  const f1 = ({ confusion: c }: Evaluation): number =>
    (2 * c.truePositive) / (2 * c.truePositive + c.falsePositive + c.falseNegative);

  it('finds a threshold no probability of the data beats', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const labels = rows.map(([label]) => label);
        const probabilities = rows.map(([, p]) => p);
        for (const policy of ['accuracy', 'f1'] as const) {
          const score = (e: Evaluation) => (policy === 'f1' ? f1(e) : e.accuracy);
          const chosen = score(evaluate(labels, probabilities, chooseThreshold(labels, probabilities, policy)));
          const others = probabilities.map((t) => score(evaluate(labels, probabilities, t)));
          expect(chosen).toBeGreaterThanOrEqual(Math.max(...others) - 1e-12);
        }
      }),
    );
  });

  it('takes a number as it is, and the nearest to one half of equally good ones', () => {
    expect(chooseThreshold([0, 1], [0.2, 0.8], 0.37)).toBe(0.37);
    expect(chooseThreshold([0, 1, 0, 1], [0.1, 0.45, 0.1, 0.95], 'accuracy')).toBeCloseTo(0.275);
  });
});
