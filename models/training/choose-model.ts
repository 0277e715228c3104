import type { Algorithm } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import type { DataSet } from '../data/dataset.ts';
import { logLoss } from '../evaluation.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { Folds } from './folds.ts';
import { search } from './search.ts';
import type { CrossValidated, Trainer } from './trainer.ts';

interface ChosenModel {
  readonly trainer: Trainer;
  readonly best: CrossValidated;
  /** Log loss of the best configuration of each algorithm. */
  readonly crossValidation: Readonly<Partial<Record<Algorithm, number>>>;
  /** One line for a person: what was kept and why. */
  readonly note: string;
}

/**
 * Searches every algorithm over the same folds and keeps the one with the lower log loss. Trainers come from simple to
 * complex: a later one is better only when it wins by more than one standard error of the difference (the rule of
 * Breiman et al. 1984); within that, the order is chance, and the simpler model is easier to explain.
 * @throws DomainError `invalidInput` when there is no trainer
 */
export async function chooseModel(
  dataSet: DataSet,
  folds: Folds,
  trainers: readonly Trainer[],
  checkpoints: Checkpoints | null,
  onTried: (message: string) => void,
): Promise<ChosenModel> {
  const labels = Uint8Array.from(folds.rows, (row) => dataSet.labels[row] as number);
  const crossValidation: Partial<Record<Algorithm, number>> = {};
  let kept: { trainer: Trainer; best: CrossValidated } | null = null;
  for (const trainer of trainers) {
    const best = await search(trainer, folds, checkpoints, (tried, leader) => {
      const losses = `log loss ${tried.logLoss.toFixed(4)}, best ${leader.logLoss.toFixed(4)}`;
      onTried(`${trainer.algorithm}: ${losses}`);
    });
    crossValidation[trainer.algorithm] = best.logLoss;
    if (kept === null || beats(best, kept.best, labels)) kept = { trainer, best };
  }
  if (kept === null) throw new DomainError('invalidInput', 'No algorithm to train with');
  return { ...kept, crossValidation, note: noteOf(kept.trainer.algorithm, crossValidation) };
}

/** The challenger wins by more than one standard error of the paired differences per row. */
function beats(challenger: CrossValidated, kept: CrossValidated, labels: Uint8Array): boolean {
  const gain = kept.logLoss - challenger.logLoss;
  let squares = 0;
  for (const [i, label] of labels.entries()) {
    const lossOf = (p: Float64Array): number => logLoss([label], [p[i] as number]);
    squares += (lossOf(kept.outOfFold) - lossOf(challenger.outOfFold) - gain) ** 2;
  }
  return gain > Math.sqrt(squares) / labels.length;
}

function noteOf(algorithm: Algorithm, crossValidation: ChosenModel['crossValidation']): string {
  const losses = Object.entries(crossValidation).map(([name, loss]) => `${name} ${loss.toFixed(4)}`);
  const lower = Object.values(crossValidation).some((loss) => loss < (crossValidation[algorithm] ?? 0));
  const why = lower ? ' (the difference is within one standard error: the simpler one)' : '';
  return `Kept ${algorithm}${why}; cross-validated log loss: ${losses.join(', ')}`;
}
