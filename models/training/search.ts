import { setImmediate } from 'node:timers/promises';
import type { Checkpoints } from './checkpoints.ts';
import type { Folds } from './folds.ts';
import type { CrossValidated, Trainer } from './trainer.ts';

/** Cross-validates every configuration of an algorithm; the one with the least log loss, the first of equals. */
export async function search(
  trainer: Trainer,
  folds: Folds,
  checkpoints: Checkpoints | null,
  onTried: (result: CrossValidated, best: CrossValidated) => void,
): Promise<CrossValidated> {
  let best: CrossValidated | null = null;
  for (const configuration of trainer.configurations) {
    const stored = (await checkpoints?.load(trainer, configuration)) ?? null;
    const result = stored ?? trainer.crossValidate(configuration, folds);
    if (stored === null) await checkpoints?.save(trainer, configuration, result);
    if (best === null || result.logLoss < best.logLoss) best = result;
    onTried(result, best);
    // The fits block: between them messages go out, and the loss of the parent is noticed.
    await setImmediate();
  }
  if (best === null) throw new RangeError(`${trainer.algorithm} has no configuration to try`);
  return best;
}
