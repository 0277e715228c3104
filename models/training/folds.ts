import { DomainError } from '../../domain/errors.ts';
import { createRandom } from './random.ts';

export interface Folds {
  /** Row numbers of the data set. */
  readonly rows: Int32Array;
  /** Fold of each of `rows`, from 0. */
  readonly fold: Uint8Array;
  readonly count: number;
}

/** One part out, the rest in. Positions are indices into `Folds.rows`. */
interface Split {
  readonly train: Int32Array;
  readonly validation: Int32Array;
  readonly validationPositions: Int32Array;
}

/**
 * Deals the rows of each class over the folds in a seeded random order, so that every fold has the same share of positives.
 * @throws DomainError `dataInvalid` when a class has fewer rows than there are folds
 */
export function stratifiedFolds(labels: Uint8Array, rows: Int32Array, count: number, seed: number): Folds {
  const random = createRandom(seed);
  const fold = new Uint8Array(rows.length);
  let next = 0;
  for (const label of [0, 1]) {
    const positions = [...rows.keys()].filter((i) => labels[rows[i] as number] === label);
    if (positions.length < count) {
      const name = label === 1 ? 'positive' : 'negative';
      const message = `${count} folds need at least ${count} ${name} rows to train on; there are ${positions.length}`;
      throw new DomainError('dataInvalid', message);
    }
    shuffle(positions, random);
    for (const position of positions) {
      fold[position] = next % count;
      next += 1;
    }
  }
  return { rows, fold, count };
}

export function splits(folds: Folds): readonly Split[] {
  return Array.from({ length: folds.count }, (_, k) => {
    const validationPositions = Int32Array.from([...folds.fold.keys()].filter((i) => folds.fold[i] === k));
    return {
      train: folds.rows.filter((_row, i) => folds.fold[i] !== k),
      validation: folds.rows.filter((_row, i) => folds.fold[i] === k),
      validationPositions,
    };
  });
}

/** Fisher and Yates. */
function shuffle(items: number[], random: () => number): void {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j] as number, items[i] as number];
  }
}
