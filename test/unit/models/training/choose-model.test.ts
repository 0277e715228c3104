import { describe, expect, it } from 'vitest';
import type { Algorithm } from '../../../../domain/definition.ts';
import { logLoss } from '../../../../models/evaluation.ts';
import { chooseModel } from '../../../../models/training/choose-model.ts';
import { stratifiedFolds } from '../../../../models/training/folds.ts';
import type { Trainer } from '../../../../models/training/trainer.ts';
import { allRows, dataSetOf } from './synthetic-data-set.ts';

const labels = Uint8Array.from({ length: 200 }, (_, i) => i % 2);
const dataSet = dataSetOf(
  [],
  [...labels].map(() => ({})),
  labels,
);
const folds = stratifiedFolds(labels, allRows(dataSet), 4, 1);

/** Configuration `c` predicts the positive class with `certainty[c]`, every fifth row wrong where `slips`. */
function fakeTrainer(algorithm: Algorithm, certainty: number[], slips = false): Trainer {
  return {
    algorithm,
    revision: 'fake',
    configurations: certainty.map((_, c) => ({ c })),
    crossValidate(configuration) {
      const sure = certainty[configuration['c']!]!;
      const outOfFold = Float64Array.from(labels, (label, i) => {
        return (label === 1) !== (slips && i % 10 < 2) ? sure : 1 - sure;
      });
      return { parameters: configuration, logLoss: logLoss(labels, outOfFold), outOfFold };
    },
    fit: () => {
      throw new Error('not part of the choice');
    },
    close: () => undefined,
  };
}

describe('chooseModel', () => {
  const choose = (trainers: Trainer[], tried: string[] = []) =>
    chooseModel(dataSet, folds, trainers, null, (message) => tried.push(message));

  it('keeps the best configuration of the algorithm that is clearly better', async () => {
    const tried: string[] = [];
    const simple = fakeTrainer('spline-logistic', [0.6, 0.7, 0.65]);
    const chosen = await choose([simple, fakeTrainer('gradient-boosting', [0.8, 0.9])], tried);
    expect(chosen.trainer.algorithm).toBe('gradient-boosting');
    expect(chosen.best.parameters).toEqual({ c: 1 });
    expect(chosen.crossValidation['spline-logistic']).toBeCloseTo(-Math.log(0.7));
    expect(tried).toHaveLength(5);
    expect(tried[2]).toMatch(/spline-logistic: log loss 0\.4308, best 0\.3567/);
  });

  it('keeps the simpler one when the gain is within its standard error, and says so', async () => {
    // 0.6 on every row loses 0.511. 0.8 with every fifth row wrong loses 0.500 with a standard error of 0.039.
    const simple = fakeTrainer('spline-logistic', [0.6]);
    const erratic = fakeTrainer('gradient-boosting', [0.8], true);
    const chosen = await choose([simple, erratic]);
    const { 'spline-logistic': kept, 'gradient-boosting': lower } = chosen.crossValidation;
    expect(chosen.trainer.algorithm).toBe('spline-logistic');
    expect(lower).toBeLessThan(kept!);
    expect(chosen.note).toMatch(/Kept spline-logistic \(the difference is within one standard error/);
  });

  it('keeps the first of equals', async () => {
    const chosen = await choose([fakeTrainer('spline-logistic', [0.7, 0.7])]);
    expect(chosen.best.parameters).toEqual({ c: 0 });
    expect(chosen.note).toBe('Kept spline-logistic; cross-validated log loss: spline-logistic 0.3567');
  });
});
