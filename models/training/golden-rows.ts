import { DomainError } from '../../domain/errors.ts';
import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';
import type { DataSet } from '../data/dataset.ts';
import type { GoldenRow } from '../manifest.ts';
import type { RawScorer } from '../onnx/raw-scorer.ts';

type Row = Readonly<Record<string, FeatureValue>>;

/** Plain rows, and rows with something missing. With the two made-up ones this stays below the manifest's 32. */
const PLAIN_ROWS_MAX = 22;
const ROWS_WITH_MISSING_MAX = 8;

/**
 * Rows that prove a loaded model: held-out ones from all over the data, some with missing values, and made-up ones with
 * all that the policies let through: every category unknown, everything missing.
 */
export async function goldenRows(dataSet: DataSet, rows: Int32Array, scorer: RawScorer): Promise<GoldenRow[]> {
  const chosen = [...spread(rows, PLAIN_ROWS_MAX), ...spread(withMissing(dataSet, rows), ROWS_WITH_MISSING_MAX)];
  const real = [...new Set(chosen)].map((row) => dataSet.rawRow(row));
  const [plain] = real;
  if (plain === undefined) throw new DomainError('dataInvalid', 'No row is held out to prove the model on');
  const unknown = overrides(dataSet.features, (f) =>
    f.type === 'category' && f.unknown === 'flag' ? unseen(f) : undefined,
  );
  const missing = overrides(dataSet.features, (f) => (f.missing === 'flag' ? null : undefined));
  const madeUp = [unknown, missing].filter((o) => Object.keys(o).length > 0).map((o) => ({ ...plain, ...o }));
  const features = [...real, ...madeUp];
  const probabilities = await scorer.score(features);
  return features.map((row, i) => ({ features: row, probability: probabilities[i] as number }));
}

function overrides(features: readonly FeatureSpec[], value: (f: FeatureSpec) => FeatureValue | undefined): Row {
  const entries = features.map((f) => [f.name, value(f)] as const).filter(([, v]) => v !== undefined);
  return Object.fromEntries(entries) as Row;
}

function unseen({ categories = [] }: FeatureSpec): string {
  let name = 'never seen';
  while (categories.includes(name)) name += '!';
  return name;
}

function withMissing(dataSet: DataSet, rows: Int32Array): Int32Array {
  return rows.filter((row) => Object.values(dataSet.rawRow(row)).includes(null));
}

/** At most `count` of the rows, at equal distances. */
function spread(rows: Int32Array, count: number): Int32Array {
  if (rows.length <= count) return rows;
  return Int32Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)] as number);
}
