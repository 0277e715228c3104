import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../adapters/config.ts';
import { findLightgbmLibrary } from '../adapters/lightgbm-library.ts';
import { buildDataSet } from '../models/data/build-dataset.ts';
import { readTable } from '../models/data/read-table.ts';
import { loadDefinition } from '../models/definition/load.ts';
import { createJobs } from '../models/training/create-jobs.ts';
import type { BenchModel } from './bench-model.ts';

export const EXAMPLE_DEFINITION = fileURLToPath(new URL('../examples/churn/model.yaml', import.meta.url));
const ROWS = 500;

/** Real rows of the example. */
export async function exampleRows(): Promise<Pick<BenchModel, 'rows'> & { readonly name: string }> {
  const definition = await loadDefinition(EXAMPLE_DEFINITION);
  const { dataSet } = buildDataSet(await readTable(definition.data.source, definition.data), definition);
  const rows = Array.from({ length: Math.min(ROWS, dataSet.rows) }, (_, row) => dataSet.rawRow(row));
  return { name: definition.name, rows };
}

/** Trains the shipped example. */
export async function exampleModel(home: string, log: (line: string) => void): Promise<BenchModel> {
  const config = readConfig();
  const definition = await loadDefinition(EXAMPLE_DEFINITION);
  const library = await findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir });
  log('training the example');
  const { algorithms, seed } = definition.training;
  const workDir = join(home, 'work');
  const job = { dataPath: definition.data.source, definition, algorithms, seed, workDir };
  const outcome = await createJobs().train(
    { ...job, lightgbmLibrary: library.path },
    { onProgress: () => undefined, signal: new AbortController().signal, memoryMb: config.trainingMemoryMb },
  );
  log(`trained: ${outcome.algorithm}`);
  const { rows } = await exampleRows();
  const { algorithm, onnxPath, signature, evaluation, golden } = outcome;
  return { definition, algorithm, onnxPath, signature, evaluation, golden, rows };
}
