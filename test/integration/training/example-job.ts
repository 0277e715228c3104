import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { findLightgbmLibrary } from '../../../adapters/lightgbm-library.ts';
import type { FeatureValue } from '../../../domain/signature.ts';
import { loadDefinition } from '../../../models/definition/load.ts';
import type { JobControl, JobProgress, TrainingJob } from '../../../models/training/job.ts';
import { syntheticFeatures, syntheticRows } from '../../unit/models/training/synthetic-data-set.ts';

/** The native library, as the platform finds it; the tests cannot do without. */
export async function lightgbmLibrary(): Promise<string> {
  const cacheDir = fileURLToPath(new URL('../../../.sluice/cache', import.meta.url));
  const found = await findLightgbmLibrary({ override: null, cacheDir });
  if (found.path === null) throw new Error(found.reason);
  return found.path;
}

/** A training of generated data in a folder of its own, which goes with the test. */
export async function exampleJob(overrides: Partial<TrainingJob> & { rows?: number } = {}): Promise<TrainingJob> {
  const { rows: count = 500, ...rest } = overrides;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-training-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const { rows, labels } = syntheticRows(count, 21);
  const cell = (value: FeatureValue | undefined): string => (value === null ? '' : String(value));
  const names = syntheticFeatures.map((f) => f.name);
  const lines = rows.map((row, i) => {
    return [`id-${i}`, ...names.map((n) => cell(row[n])), labels[i] === 1 ? 'bought' : 'left'].join(',');
  });
  await writeFile(join(folder, 'shop.csv'), [['key', ...names, 'outcome'].join(','), ...lines, ''].join('\n'));
  await writeFile(
    join(folder, 'model.yaml'),
    [
      'name: shop',
      'data: shop.csv',
      'entity: key',
      'target: { column: outcome, positive: bought }',
      'training: { holdoutPercent: 30, folds: 3 }',
      '',
    ].join('\n'),
  );
  const definition = await loadDefinition(join(folder, 'model.yaml'));
  return {
    dataPath: definition.data.source,
    definition,
    algorithms: ['spline-logistic', 'gradient-boosting'],
    seed: 7,
    workDir: join(folder, 'work'),
    lightgbmLibrary: null,
    ...rest,
  };
}

export function control(overrides: Partial<JobControl> = {}): JobControl & { readonly seen: JobProgress[] } {
  const seen: JobProgress[] = [];
  const signal = new AbortController().signal;
  return { onProgress: (p) => seen.push(p), signal, memoryMb: 512, ...overrides, seen };
}
