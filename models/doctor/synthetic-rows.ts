import type { FeatureSpec, FeatureValue } from '../../domain/signature.ts';

type Row = Readonly<Record<string, FeatureValue>>;

/** Where nobody says a range: most models are fed with standardised numbers or small counts. */
const RANGE_DEFAULT = { min: -2, max: 2 };
const WHOLE_RANGE_DEFAULT = { min: 0, max: 10 };
/** The golden ratio's fraction spreads any number of points evenly (Weyl's sequence). */
const GOLDEN = 0.618_033_988_749_894_9;
const OPEN_CATEGORY = 'a';

/**
 * Rows within the ranges of a signature, always the same ones: for a graph that came without any. Every feature takes
 * another value in each row, and no two features step together.
 */
export function syntheticRows(features: readonly FeatureSpec[], count: number): readonly Row[] {
  return Array.from({ length: count }, (_, row) =>
    Object.fromEntries(
      features.map((f, i) => [f.name, valueAt(f, fraction((row + 1) * GOLDEN + i * GOLDEN * GOLDEN))]),
    ),
  );
}

/** Rows with everything missing that may be, and with every category unknown that may be. */
export function oddRows(features: readonly FeatureSpec[], base: Row): readonly Row[] {
  const missing = features.filter((f) => f.missing === 'flag').map((f) => [f.name, null] as const);
  const unknown = features
    .filter((f) => f.type === 'category' && f.categories !== undefined && f.unknown === 'flag')
    .map((f) => [f.name, unseen(f)] as const);
  return [missing, unknown].filter((o) => o.length > 0).map((o) => ({ ...base, ...Object.fromEntries(o) }));
}

export function unseen({ categories = [] }: FeatureSpec): string {
  let name = 'never seen';
  while (categories.includes(name)) name += '!';
  return name;
}

/** @param share 0..1 */
function valueAt(feature: FeatureSpec, share: number): FeatureValue {
  switch (feature.type) {
    case 'boolean':
      return share >= 0.5;
    case 'category': {
      const categories = feature.categories ?? [OPEN_CATEGORY];
      return categories[Math.floor(share * categories.length)] ?? OPEN_CATEGORY;
    }
    case 'integer': {
      const { min, max } = rangeOf(feature, WHOLE_RANGE_DEFAULT);
      return Math.min(Math.floor(max), Math.ceil(min) + Math.floor(share * (max - min + 1)));
    }
    case 'number': {
      const { min, max } = rangeOf(feature, RANGE_DEFAULT);
      // Rounded to what a float32 holds: no two readers of the row may see different numbers.
      return Math.fround(min + share * (max - min));
    }
  }
}

function rangeOf({ min, max }: FeatureSpec, fallback: { min: number; max: number }) {
  const span = fallback.max - fallback.min;
  const low = min ?? (max === undefined ? fallback.min : Math.min(fallback.min, max - span));
  return { min: low, max: max ?? Math.max(fallback.max, low + span) };
}

const fraction = (value: number): number => value - Math.floor(value);
