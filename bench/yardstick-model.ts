import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { notEvaluated } from '../domain/evaluation.ts';
import type { FeatureRow, FeatureSpec, Signature } from '../domain/signature.ts';
import { loadDefinition } from '../models/definition/load.ts';
import type { BenchModel } from './bench-model.ts';
import { EXAMPLE_DEFINITION } from './example-model.ts';

/** `encoding.json` of the yardstick: how a row becomes the one float matrix that its model takes. */
interface Encoding {
  readonly columns: readonly (
    | { readonly name: string; readonly kind: 'num'; readonly offset: number }
    | { readonly name: string; readonly kind: 'cat'; readonly offset: number; readonly categories: readonly string[] }
  )[];
}

const GOLDEN_ROWS = 32;
const REFUSE = { missing: 'reject', unknown: 'reject', outOfRange: 'reject' } as const;

/** The model that the yardstick's peers serve, as an imported version: to compare servers and not models. */
export async function yardstickModel(folder: string): Promise<BenchModel> {
  const read = (name: string) => readFile(join(folder, 'model', name), 'utf8');
  const encoding = JSON.parse(await read('encoding.json')) as Encoding;
  const reference = JSON.parse(await read('reference.json')) as number[];
  const rows = (await read('rows.jsonl'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, string | number>>);
  const signature = signatureOf(encoding);
  const example = await loadDefinition(EXAMPLE_DEFINITION);
  return {
    definition: { ...example, name: 'yardstick', data: null },
    algorithm: 'imported',
    onnxPath: join(folder, 'model', 'model.onnx'),
    signature,
    evaluation: notEvaluated(signature.threshold),
    golden: rows.slice(0, GOLDEN_ROWS).map((features, i) => ({ features, probability: reference[i] ?? Number.NaN })),
    foreign: {
      input: { kind: 'matrix', name: 'input', type: 'float32' },
      output: { name: 'probabilities', column: 1 },
    },
    rows: rows satisfies readonly FeatureRow[],
  };
}

function signatureOf({ columns }: Encoding): Signature {
  const features = columns.map((column): FeatureSpec => {
    const { name, offset } = column;
    if (column.kind === 'num') return { name, type: 'number', column: offset, ...REFUSE };
    return { name, type: 'category', categories: column.categories, encoding: 'oneHot', column: offset, ...REFUSE };
  });
  return {
    features,
    entity: 'customerID',
    target: { column: 'Churn', positive: 'Yes', negative: 'No' },
    threshold: 0.5,
    risk: { medium: 0.3, high: 0.6 },
  };
}
