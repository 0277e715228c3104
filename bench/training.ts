import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../adapters/config.ts';
import { findLightgbmLibrary } from '../adapters/lightgbm-library.ts';
import type { TrainableDefinition } from '../domain/definition.ts';
import { buildDataSet } from '../models/data/build-dataset.ts';
import type { DataSet } from '../models/data/dataset.ts';
import { readTable } from '../models/data/read-table.ts';
import { loadDefinition } from '../models/definition/load.ts';
import { evaluate } from '../models/evaluation.ts';
import { createRawScorer } from '../models/onnx/raw-scorer.ts';
import { chooseModel } from '../models/training/choose-model.ts';
import { chooseTrainers } from '../models/training/choose-trainers.ts';
import { createJobs } from '../models/training/create-jobs.ts';
import { stratifiedFolds } from '../models/training/folds.ts';
import { createGradientBoosting } from '../models/training/gradient-boosting.ts';
import { DIFFERENCE_MAX, proveFile } from '../models/training/prove-file.ts';
import type { Bench, Figure } from './bench.ts';

const DEFINITION = fileURLToPath(new URL('../examples/churn/model.yaml', import.meta.url));
const FOLDS = new URL('./telco-folds.csv', import.meta.url);
/** Trees of the forests whose files are compared: more than the search ever chose for this data. */
const COMPARED_ROUNDS = 300;

type Log = (line: string) => void;

/** Quality, exactness and speed of the training on the shipped example. */
export const training: Bench = {
  description: 'quality over the given folds, ONNX against LightGBM, seconds of a whole training',
  async run(log) {
    const definition = await loadDefinition(DEFINITION);
    const config = readConfig();
    const library = await findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir });
    if (library.path === null) log(`without gradient boosting: ${library.reason}`);
    const { dataSet } = buildDataSet(await readTable(definition.data.source, definition.data), definition);
    return [
      ...(await quality(definition, dataSet, library.path, log)),
      ...(await exactness(dataSet, library.path, definition.training.seed)),
      ...(await speed(definition, library.path, log)),
    ];
  },
};

/** Everything, the choice of the algorithm included, is learnt inside each fold's training part. */
async function quality(
  definition: TrainableDefinition,
  dataSet: DataSet,
  library: string | null,
  log: Log,
): Promise<Figure[]> {
  const text = await readFile(FOLDS, 'utf8');
  const fold = text.trim().split('\n').slice(1).map(Number);
  const count = Math.max(...fold) + 1;
  let auc = 0;
  let logLoss = 0;
  for (let k = 0; k < count; k += 1) {
    const rows = (wanted: boolean) => Int32Array.from(fold.keys()).filter((row) => (fold[row] === k) === wanted);
    const test = rows(true);
    const { name, probabilities } = await selected(definition, dataSet, library, rows(false), test);
    const labels = test.map((row) => dataSet.labels[row] ?? 0);
    const result = evaluate(labels, probabilities, 0.5);
    log(`fold ${k}: ${name}, AUC ${result.auc.toFixed(4)}, log loss ${result.logLoss.toFixed(4)}`);
    auc += result.auc / count;
    logLoss += result.logLoss / count;
  }
  return [
    { name: 'mean AUC over the given folds', value: auc, unit: 'share', bar: 0.848, better: 'higher' },
    { name: 'mean log loss over the given folds', value: logLoss, unit: 'nats', bar: 0.413, better: 'lower' },
  ];
}

async function selected(
  { training: { algorithms, folds: count, seed } }: TrainableDefinition,
  dataSet: DataSet,
  lightgbmLibrary: string | null,
  train: Int32Array,
  test: Int32Array,
): Promise<{ name: string; probabilities: Float64Array }> {
  const { trainers } = chooseTrainers({ algorithms, lightgbmLibrary, seed }, dataSet);
  try {
    const folds = stratifiedFolds(dataSet.labels, train, count, seed);
    const chosen = await chooseModel(dataSet, folds, trainers, null, () => {
      // Nothing to show: a fold takes seconds.
    });
    const probabilities = chosen.trainer.fit(chosen.best.parameters, train).predict(dataSet, test);
    return { name: chosen.trainer.algorithm, probabilities };
  } finally {
    for (const trainer of trainers) trainer.close();
  }
}

/** The greatest difference over every row, of the smallest and of the largest trees of the search. */
async function exactness(dataSet: DataSet, library: string | null, seed: number): Promise<Figure[]> {
  if (library === null) return [];
  const trainer = createGradientBoosting(dataSet, library, seed);
  let greatest = 0;
  try {
    for (const configuration of [trainer.configurations[0], trainer.configurations.at(-1)]) {
      const model = trainer.fit({ ...configuration, rounds: COMPARED_ROUNDS }, Int32Array.from(dataSet.labels.keys()));
      const scorer = await createRawScorer(model.toOnnx(), dataSet.features);
      greatest = Math.max(greatest, await proveFile(model, scorer, dataSet));
      await scorer.release();
    }
  } finally {
    trainer.close();
  }
  return [
    { name: 'ONNX against LightGBM, every row', value: greatest, unit: 'share', bar: DIFFERENCE_MAX, better: 'lower' },
  ];
}

async function speed(definition: TrainableDefinition, lightgbmLibrary: string | null, log: Log): Promise<Figure[]> {
  const workDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const { algorithms, seed } = definition.training;
  const job = { dataPath: definition.data.source, definition, algorithms, seed, workDir, lightgbmLibrary };
  const startMs = performance.now();
  try {
    const outcome = await createJobs().train(job, {
      onProgress: (p) => log(`${p.done}/${p.total} ${p.stage}: ${p.message}`),
      signal: new AbortController().signal,
      memoryMb: readConfig().trainingMemoryMb,
    });
    log(outcome.notes.at(-1) ?? '');
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
  const seconds = (performance.now() - startMs) / 1000;
  return [{ name: 'whole training of the example', value: seconds, unit: 's', bar: 60, better: 'lower' }];
}
