import { CATEGORY_MISSING, CATEGORY_UNKNOWN } from '../../../../domain/encoding.ts';
import type { FeatureRow, FeatureSpec, FeatureValue } from '../../../../domain/signature.ts';
import type { DataSet } from '../../../../models/data/dataset.ts';
import { createRandom } from '../../../../models/training/random.ts';

const policies = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
const cities = Array.from({ length: 30 }, (_, i) => `city ${String(i).padStart(2, '0')}`);

/** Every kind of feature the trainers tell apart. */
export const syntheticFeatures: readonly FeatureSpec[] = [
  { name: 'amount', type: 'number', ...policies },
  { name: 'age in months', type: 'integer', ...policies },
  { name: 'children', type: 'integer', ...policies },
  { name: 'insured', type: 'boolean', ...policies },
  { name: 'city', type: 'category', categories: cities, ...policies },
  { name: 'plan', type: 'category', categories: ['basic', 'gold', 'plus'], ...policies },
  { name: 'temperature', type: 'number', ...policies },
];

/** Encodes rows as the contract of `domain/encoding.ts` says. */
export function dataSetOf(
  features: readonly FeatureSpec[],
  rows: readonly FeatureRow[],
  labels: ArrayLike<number>,
): DataSet {
  const encode = (spec: FeatureSpec, value: FeatureValue): number => {
    if (spec.type !== 'category') return value === null ? NaN : Number(value);
    if (value === null) return CATEGORY_MISSING;
    const code = spec.categories!.indexOf(String(value));
    return code < 0 ? CATEGORY_UNKNOWN : code;
  };
  return {
    features,
    rows: rows.length,
    matrix: Float32Array.from(rows.flatMap((row) => features.map((f) => encode(f, row[f.name] ?? null)))),
    labels: Uint8Array.from(labels),
    heldOut: new Uint8Array(rows.length),
    negative: 'no',
    rawRow: (row) => rows[row] as Record<string, FeatureValue>,
  };
}

/** Rows with a curved, a stepped and a categorical effect; some amounts, flags and plans are missing. */
export function syntheticRows(count: number, seed: number): { rows: FeatureRow[]; labels: number[] } {
  const random = createRandom(seed);
  const rows: FeatureRow[] = [];
  const labels: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const amount = Math.exp(3 * random());
    const city = Math.floor(30 * random() ** 2);
    const children = Math.floor(5 * random());
    const plan = ['basic', 'gold', 'plus'][Math.floor(3 * random())]!;
    const age = Math.floor(900 * random());
    const odds =
      Math.sin(amount / 3) + (children > 2 ? 1 : -0.5) + (plan === 'gold' ? 1 : 0) - city / 20 + (age < 200 ? 0.8 : 0);
    labels.push(random() < 1 / (1 + Math.exp(-2 * odds)) ? 1 : 0);
    rows.push({
      amount: random() < 0.1 ? null : Math.round(amount * 100) / 100,
      'age in months': age,
      children,
      insured: random() < 0.05 ? null : random() < 0.5,
      city: cities[city]!,
      plan: random() < 0.05 ? null : plan,
      temperature: Math.round(20 * random() - 10) / 10,
    });
  }
  return { rows, labels };
}

/** Rows unlike the training data: everything missing, unknown, far out, or exactly on a seen value. */
export function oddRows(): FeatureRow[] {
  const [plain] = syntheticRows(1, 99).rows as [FeatureRow];
  const nothing = Object.fromEntries(syntheticFeatures.map((f) => [f.name, null]));
  return [
    nothing,
    { ...plain, city: 'never seen', plan: 'never seen' },
    { ...plain, city: null },
    { ...plain, temperature: null, children: null, 'age in months': null },
    { ...plain, temperature: 0, amount: 0, children: 0 },
    { ...plain, temperature: -0.05, amount: 1e30, children: 99, 'age in months': -1 },
    { ...plain, temperature: 1e-40, amount: -1e30, children: 2.5 },
  ];
}

export const allRows = (dataSet: DataSet): Int32Array => Int32Array.from({ length: dataSet.rows }, (_, i) => i);
