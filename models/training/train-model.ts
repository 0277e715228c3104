import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import type { Signature } from '../../domain/signature.ts';
import { buildDataSet } from '../data/build-dataset.ts';
import { checkData } from '../data/check-data.ts';
import type { DataSet } from '../data/dataset.ts';
import { readTable } from '../data/read-table.ts';
import { chooseThreshold } from '../evaluation.ts';
import { createRawScorer } from '../onnx/raw-scorer.ts';
import { createCheckpoints, writeWhole } from './checkpoints.ts';
import { chooseModel } from './choose-model.ts';
import { chooseTrainers } from './choose-trainers.ts';
import { stratifiedFolds } from './folds.ts';
import { goldenRows } from './golden-rows.ts';
import { evaluateFile, writeHoldout } from './holdout-file.ts';
import type { JobProgress, TrainingJob, TrainingOutcome } from './job.ts';
import { proveFile } from './prove-file.ts';
import type { CrossValidated, FittedModel, Trainer } from './trainer.ts';

/** Steps beside the configurations: read, fit, write, evaluate. */
const OTHER_STEPS = 4;

/**
 * From a data file to a model file: everything between is a function of the data, the definition, the seed and the
 * library, so the same job gives the same bytes, also when it was killed and goes on from its checkpoints.
 * @throws DomainError `dataInvalid` (the data cannot be learnt from), `trainingFailed`
 */
export async function trainModel(
  job: TrainingJob,
  onProgress: (progress: JobProgress) => void,
): Promise<TrainingOutcome> {
  await mkdir(job.workDir, { recursive: true });
  const { dataSet, notes } = await readDataSet(job);
  const { trainers, notes: trainerNotes } = chooseTrainers(job, dataSet);
  const progress = createProgress(trainers, onProgress);
  progress.step('read data', `${dataSet.rows} rows, ${dataSet.features.length} features`);
  try {
    const training = rowsWhere(dataSet, 0);
    const folds = stratifiedFolds(dataSet.labels, training, job.definition.training.folds, job.seed);
    const chosen = await chooseModel(dataSet, folds, trainers, await createCheckpoints(job), (message) => {
      progress.step('cross-validation', message);
    });
    progress.step('fit', `${chosen.trainer.algorithm} on ${training.length} rows`);
    const model = chosen.trainer.fit(chosen.best.parameters, training);
    const outcome = await writeOutcome(job, dataSet, model, signatureOf(job, dataSet, training, chosen.best), progress);
    return {
      ...outcome,
      algorithm: chosen.trainer.algorithm,
      parameters: chosen.best.parameters,
      crossValidation: chosen.crossValidation,
      notes: [...notes, ...trainerNotes, chosen.note],
    };
  } finally {
    for (const trainer of trainers) trainer.close();
  }
}

async function readDataSet({ dataPath, definition }: TrainingJob) {
  const table = await readTable(dataPath, definition.data);
  const report = checkData(table, definition);
  if (!report.ok) {
    const errors = report.findings.filter((f) => f.severity === 'error');
    const problems = errors.map((f) => ({ field: f.column ?? 'data', message: f.message }));
    throw new DomainError(
      'dataInvalid',
      `The data cannot be trained on: ${errors.map((f) => f.message).join('; ')}`,
      problems,
    );
  }
  return buildDataSet(table, definition);
}

function signatureOf(job: TrainingJob, dataSet: DataSet, training: Int32Array, best: CrossValidated): Signature {
  const { definition } = job;
  const labels = training.map((row) => dataSet.labels[row] as number);
  return {
    features: dataSet.features,
    entity: definition.entity,
    target: { ...definition.target, negative: dataSet.negative },
    threshold: chooseThreshold(labels, best.outOfFold, definition.training.threshold),
    risk: definition.risk,
  };
}

/** Writes the files, proves the model file against the fitted model, and evaluates the file alone. */
async function writeOutcome(
  job: TrainingJob,
  dataSet: DataSet,
  model: FittedModel,
  signature: Signature,
  progress: Progress,
) {
  const onnxPath = join(job.workDir, 'model.onnx');
  const holdoutPath = join(job.workDir, 'holdout.jsonl');
  const heldOut = rowsWhere(dataSet, 1);
  progress.step('write onnx', `model file and ${heldOut.length} held-out rows`);
  const bytes = model.toOnnx();
  await writeWhole(onnxPath, bytes);
  await writeHoldout(holdoutPath, dataSet, heldOut);
  progress.step('evaluate', `on ${heldOut.length} held-out rows`);
  const scorer = await createRawScorer(bytes, signature.features);
  try {
    await proveFile(model, scorer, dataSet);
    const golden = await goldenRows(dataSet, heldOut, scorer);
    const evaluation = await evaluateFile({ onnxPath, signature, holdoutPath });
    return { signature, evaluation, golden, onnxPath, holdoutPath, holdoutRows: heldOut.length };
  } finally {
    await scorer.release();
  }
}

interface Progress {
  step(stage: string, message: string): void;
}

function createProgress(trainers: readonly Trainer[], onProgress: (progress: JobProgress) => void): Progress {
  const total = trainers.reduce((sum, trainer) => sum + trainer.configurations.length, OTHER_STEPS);
  let done = 0;
  return {
    step(stage, message) {
      done += 1;
      onProgress({ stage, done, total, message });
    },
  };
}

function rowsWhere(dataSet: DataSet, heldOut: 0 | 1): Int32Array {
  return Int32Array.from(dataSet.heldOut.keys()).filter((row) => dataSet.heldOut[row] === heldOut);
}
