import { ALGORITHMS } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import type { DataSet } from '../data/dataset.ts';
import { createGradientBoosting } from './gradient-boosting.ts';
import type { TrainingJob } from './job.ts';
import { createSplineLogistic } from './spline-logistic.ts';
import type { Trainer } from './trainer.ts';

const HOW_TO_GET_LIGHTGBM =
  "LightGBM's native library is not there. Set LIGHTGBM_LIBRARY to its file (lib_lightgbm.so, .dylib or .dll, for example out of the Python package lightgbm), or have python3 with pip ready so that it can be fetched";

/**
 * The trainers a job asks for. Gradient boosting without its library is left out with a note, unless nothing else was asked.
 * @throws DomainError `trainingFailed` when nothing is left to train with, `invalidInput` when nothing was asked
 */
export function chooseTrainers(
  job: Pick<TrainingJob, 'algorithms' | 'lightgbmLibrary' | 'seed'>,
  dataSet: DataSet,
): { readonly trainers: readonly Trainer[]; readonly notes: readonly string[] } {
  const trainers: Trainer[] = [];
  const notes: string[] = [];
  // In the order of the list of algorithms, from simple to complex, whatever order they were asked in.
  for (const algorithm of ALGORITHMS.filter((a) => job.algorithms.includes(a))) {
    if (algorithm === 'spline-logistic') trainers.push(createSplineLogistic(dataSet));
    else if (job.lightgbmLibrary !== null)
      trainers.push(createGradientBoosting(dataSet, job.lightgbmLibrary, job.seed));
    else notes.push(`gradient-boosting is left out: ${HOW_TO_GET_LIGHTGBM}`);
  }
  if (trainers.length > 0) return { trainers, notes };
  if (notes.length === 0) {
    throw new DomainError('invalidInput', 'A training needs at least one algorithm', [
      { field: 'algorithms', message: 'is empty', allowed: ALGORITHMS },
    ]);
  }
  throw new DomainError('trainingFailed', `gradient-boosting cannot be trained. ${HOW_TO_GET_LIGHTGBM}`, [
    { field: 'algorithms', message: HOW_TO_GET_LIGHTGBM, allowed: ['spline-logistic'] },
  ]);
}
