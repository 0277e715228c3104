/** The features of a served model as JSON Schema (2020-12), and a row that fits it. */
import type { FeatureSpec, Signature } from '../domain/signature.ts';

/** Categories listed in a schema; a feature with more is described in words. */
const CATEGORIES_SHOWN_MAX = 100;

export interface FeaturesSchema {
  readonly type: 'object';
  readonly properties: Readonly<Record<string, object>>;
  readonly required: readonly string[];
  readonly additionalProperties: false;
}

/** Missing values may be left out or null where the policy flags them; a refused one is required. */
export function featuresSchema({ features }: Signature): FeaturesSchema {
  return {
    type: 'object',
    properties: Object.fromEntries(features.map((f) => [f.name, featureSchema(f)])),
    required: features.filter((f) => f.missing === 'reject').map((f) => f.name),
    additionalProperties: false,
  };
}

function featureSchema(feature: FeatureSpec): object {
  const nullable = (type: string) => (feature.missing === 'flag' ? [type, 'null'] : type);
  switch (feature.type) {
    case 'boolean':
      return { type: nullable('boolean') };
    case 'category':
      return { type: nullable('string'), ...describeCategories(feature) };
    case 'number':
    case 'integer':
      return { type: nullable(feature.type), ...describeRange(feature) };
  }
}

function describeCategories({ categories, unknown, missing }: FeatureSpec): object {
  if (categories === undefined) return { description: 'Any text' };
  const shown = categories.slice(0, CATEGORIES_SHOWN_MAX);
  if (unknown === 'reject' && shown.length === categories.length) {
    return { enum: missing === 'flag' ? [...shown, null] : shown };
  }
  const others = categories.length - shown.length;
  const rest = others === 0 ? '' : `, and ${others} more`;
  const otherwise = unknown === 'flag' ? 'another one is answered with a warning' : 'another one is refused';
  return { description: `Known: ${shown.join(', ')}${rest}; ${otherwise}` };
}

function describeRange({ min, max, outOfRange }: FeatureSpec): object {
  if (outOfRange === 'reject') {
    return { ...(min === undefined ? {} : { minimum: min }), ...(max === undefined ? {} : { maximum: max }) };
  }
  if (min === undefined && max === undefined) return {};
  return { description: `Seen in training: ${min ?? '…'} to ${max ?? '…'}; others are answered with a warning` };
}

/** A row that passes: the first category, the middle of the range. */
export function exampleFeatures({ features }: Signature): Readonly<Record<string, string | number | boolean>> {
  return Object.fromEntries(features.map((f) => [f.name, exampleValue(f)]));
}

function exampleValue({ type, categories, min, max }: FeatureSpec): string | number | boolean {
  if (type === 'boolean') return true;
  if (type === 'category') return categories?.[0] ?? '';
  const low = min ?? Math.min(0, max ?? 0);
  const middle = (low + (max ?? Math.max(low, 1))) / 2;
  return type === 'integer' ? Math.round(middle) : Number(middle.toPrecision(6));
}
