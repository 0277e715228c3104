import { fileURLToPath } from 'node:url';
import { readConfig } from '../adapters/config.ts';
import { findLightgbmLibrary } from '../adapters/lightgbm-library.ts';
import type { FeatureRow, Signature } from '../domain/signature.ts';
import { buildDataSet } from '../models/data/build-dataset.ts';
import type { DataSet } from '../models/data/dataset.ts';
import { readTable } from '../models/data/read-table.ts';
import { loadDefinition } from '../models/definition/load.ts';
import { createExplainer } from '../models/explain/create-explainer.ts';
import { createRawScorer } from '../models/onnx/raw-scorer.ts';
import { createGradientBoosting } from '../models/training/gradient-boosting.ts';
import { createSplineLogistic } from '../models/training/spline-logistic.ts';
import type { Parameters, Trainer } from '../models/training/trainer.ts';
import type { Bench, Figure } from './bench.ts';

const DEFINITION = fileURLToPath(new URL('../examples/churn/model.yaml', import.meta.url));
/** More than the search ever chose for this data. */
const ROUNDS = 300;
const ROWS = 300;
const WARM_UP_ROWS = 30;
const GOLDEN_ROWS = 6;
/** An explanation in less than a prediction's usual budget. */
const USUAL_MS_MAX = 10;

/** What explanations cost on the shipped example, and how exactly they add up. */
export const explain: Bench = {
  description: 'milliseconds of an explanation by algorithm, and of the first one of a version',
  async run(log) {
    const definition = await loadDefinition(DEFINITION);
    const config = readConfig();
    const library = await findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir });
    const { dataSet } = buildDataSet(await readTable(definition.data.source, definition.data), definition);
    const figures = await measure('splines', createSplineLogistic(dataSet), { knots: 8, l2: 3 }, dataSet);
    if (library.path === null) {
      log(`without gradient boosting: ${library.reason}`);
      return figures;
    }
    const trees = createGradientBoosting(dataSet, library.path, definition.training.seed);
    try {
      for (const configuration of [trees.configurations[3], trees.configurations.at(-1)]) {
        const name = `${ROUNDS} trees of ${String(configuration?.['num_leaves'])} leaves`;
        log(name);
        figures.push(...(await measure(name, trees, { ...configuration, rounds: ROUNDS }, dataSet)));
      }
    } finally {
      trees.close();
    }
    return figures;
  },
};

async function measure(name: string, trainer: Trainer, parameters: Parameters, dataSet: DataSet): Promise<Figure[]> {
  const onnx = trainer
    .fit(
      parameters,
      Int32Array.from({ length: dataSet.rows }, (_, i) => i),
    )
    .toOnnx();
  const step = Math.floor(dataSet.rows / ROWS);
  const rows = Array.from({ length: ROWS }, (_, i): FeatureRow => dataSet.rawRow(i * step));
  const scorer = await createRawScorer(onnx, dataSet.features);
  const probabilities = await scorer.score(rows);
  await scorer.release();
  const golden = rows.slice(0, GOLDEN_ROWS).map((features, i) => {
    return { features: features as never, probability: probabilities[i] ?? NaN };
  });
  const startMs = performance.now();
  const made = await createExplainer({ onnx, manifest: { signature: signatureOf(dataSet), golden } });
  const firstMs = performance.now() - startMs;
  if (!made.explainable) throw new Error(made.reason);
  const takenMs: number[] = [];
  let difference = 0;
  for (const [i, row] of rows.entries()) {
    const fromMs = performance.now();
    const { logit } = await made.explainer.explain(row);
    takenMs.push(performance.now() - fromMs);
    difference = Math.max(difference, Math.abs(1 / (1 + Math.exp(-logit)) - (probabilities[i] ?? NaN)));
  }
  const sorted = takenMs.slice(WARM_UP_ROWS).sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  const isLargest = name.includes('63');
  const info = { bar: null, better: 'lower' } as const;
  return [
    { name: `${name}: one row, median`, value: at(0.5), unit: 'ms', ...info, bar: isLargest ? null : USUAL_MS_MAX },
    { name: `${name}: one row, p95`, value: at(0.95), unit: 'ms', ...info },
    { name: `${name}: preparing the version, once`, value: firstMs, unit: 'ms', ...info },
    { name: `${name}: sum against the answer`, value: difference, unit: 'share', bar: 1e-5, better: 'lower' },
  ];
}

function signatureOf({ features }: DataSet): Signature {
  return {
    features,
    entity: null,
    target: { column: 'target', positive: 'yes', negative: 'no' },
    threshold: 0.5,
    risk: { medium: 0.3, high: 0.6 },
  };
}
