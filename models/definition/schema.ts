import { z } from 'zod';
import {
  ALGORITHMS,
  QUALITY_METRICS,
  type FeatureOverride,
  type GatePolicy,
  type ModelDefinition,
  type RetrainingPolicy,
  type TrainingPolicy,
} from '../../domain/definition.ts';
import { FEATURE_TYPES, VALUE_POLICIES } from '../../domain/signature.ts';
import { rolloutFromFile, rolloutResolved } from './rollout-schema.ts';
import { cacheFromFile, cacheResolved, fallback } from './serving-schema.ts';

/** A column name longer than this is a broken header. */
const COLUMN_NAME_LENGTH_MAX = 256;
/** Lists of columns are bounded by the columns a table may have. */
const COLUMN_LIST_MAX = 2000;

const modelName = z
  .string()
  .regex(
    /^[a-z0-9][a-z0-9_-]{0,62}$/,
    'expected 1 to 63 characters: lower-case letters, digits, "_" and "-", beginning with a letter or digit',
  )
  .describe('Names the model everywhere: in the API, in workflow ids, in metrics.');
const columnName = z.string().min(1).max(COLUMN_NAME_LENGTH_MAX);
const columnList = z.array(columnName).max(COLUMN_LIST_MAX);
const share = z.number().min(0).max(1);

const policies = z.strictObject({
  missing: z.enum(VALUE_POLICIES).default('flag').describe('Null, absent or blank value.'),
  unknown: z.enum(VALUE_POLICIES).default('reject').describe('A category that training never saw.'),
  outOfRange: z.enum(VALUE_POLICIES).default('reject').describe('A number outside min..max.'),
});

const featureOverride = z
  .strictObject({
    type: z.enum(FEATURE_TYPES).exactOptional(),
    min: z.number().exactOptional().describe('Smallest allowed value, inclusive.'),
    max: z.number().exactOptional().describe('Largest allowed value, inclusive.'),
    missing: z.enum(VALUE_POLICIES).exactOptional(),
    unknown: z.enum(VALUE_POLICIES).exactOptional(),
    outOfRange: z.enum(VALUE_POLICIES).exactOptional(),
  })
  .superRefine((feature, context) => {
    const report = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (feature.min !== undefined && feature.max !== undefined && feature.min > feature.max) {
      report('min', `must not be more than max (${feature.max}), found ${feature.min}`);
    }
    if (feature.type !== 'category' && feature.type !== 'boolean') return;
    if (feature.min !== undefined) report('min', `a ${feature.type} has no range`);
    if (feature.max !== undefined) report('max', `a ${feature.type} has no range`);
  }) satisfies z.ZodType<FeatureOverride>;

const risk = z
  .strictObject({
    medium: share.default(0.3).describe('Probability at which the risk category becomes medium.'),
    high: share.default(0.6).describe('Probability at which the risk category becomes high.'),
  })
  .refine((r) => r.medium <= r.high, { path: ['medium'], error: 'must not be more than risk.high' });

const training = z.strictObject({
  algorithms: z
    .array(z.enum(ALGORITHMS))
    .min(1)
    .max(ALGORITHMS.length)
    .default([...ALGORITHMS])
    .describe('All are tried; the one with the lower cross-validated log loss is kept.'),
  seed: z.int().min(0).max(2_147_483_647).default(42),
  holdoutPercent: z.number().min(5).max(50).default(20).describe('Rows no training step sees, in percent.'),
  folds: z.int().min(2).max(20).default(5).describe('Folds of the cross-validation on the rest.'),
  threshold: z
    .union([z.enum(['accuracy', 'f1']), share])
    .default('accuracy')
    .describe('How the decision threshold is chosen, or the threshold itself.'),
}) satisfies z.ZodType<TrainingPolicy>;

const qualityBound = z
  .strictObject({ min: z.number().exactOptional(), max: z.number().exactOptional() })
  .refine((b) => b.min !== undefined || b.max !== undefined, 'names neither min nor max')
  .refine((b) => b.min === undefined || b.max === undefined || b.min <= b.max, {
    path: ['min'],
    error: 'must not be more than max',
  });

const quality = z.strictObject({
  auc: qualityBound.exactOptional(),
  prAuc: qualityBound.exactOptional(),
  logLoss: qualityBound.exactOptional().describe('Nats; lower is better.'),
  accuracy: qualityBound.exactOptional(),
  brier: qualityBound.exactOptional().describe('Lower is better.'),
  ece: qualityBound.exactOptional().describe('Expected calibration error over 10 bins; lower is better.'),
} satisfies Record<(typeof QUALITY_METRICS)[number], z.ZodType>);

const gates = z.strictObject({
  quality: quality.default({}).describe('Bounds by metric on the held-out rows, inclusive.'),
  champion: z
    .strictObject({
      metric: z.enum(QUALITY_METRICS).default('auc'),
      tolerance: share.default(0.005).describe('How much worse than the champion is still good enough.'),
    })
    .prefault({}),
  latencyP95MsMax: z.number().positive().default(100).describe('p95 of scoring a single row, ms.'),
  throughputRowsPerSecondMin: z.number().min(0).default(1000),
}) satisfies z.ZodType<GatePolicy>;

const CRON = /^(\S+\s+){4}\S+$/;
const retraining = z.strictObject({
  schedule: z
    .string()
    .refine((text) => text === 'none' || CRON.test(text), 'expected `none` or a cron expression of five fields, in UTC')
    .default('none')
    .describe('`none` or a cron expression in UTC, for example `0 3 * * 1`.'),
  accuracyLossMax: share.default(0.15).describe('Loss of accuracy on labelled feedback that asks for a retraining.'),
  minSamples: z.int().min(0).default(1000).describe('Labelled predictions needed before the loss is believed.'),
  daysBack: z.int().min(1).max(3650).default(30).describe('Days of predictions looked at.'),
}) satisfies z.ZodType<RetrainingPolicy>;

/** YAML reads `positive: 1` as a number and `positive: true` as a boolean; the class is always named by its text. */
const className = z.union([z.string().min(1), z.number(), z.boolean()]).transform(String);

const target = z.strictObject({
  column: columnName.describe('Column that holds what is to be predicted; it must have exactly two values.'),
  positive: className.describe('The value whose probability is predicted.'),
});

const common = {
  name: modelName,
  description: z.string().max(1000).default(''),
  entity: columnName
    .nullable()
    .default(null)
    .describe('Column that identifies the entity (customer, device); never a feature.'),
  target,
  exclude: columnList.default([]).describe('Columns that are not used as features.'),
  protected: columnList.default([]).describe('Protected attributes, reported on in gates.'),
  policies: policies.prefault({}),
  risk: risk.prefault({}),
  training: training.prefault({}),
  gates: gates.prefault({}),
  retraining: retraining.prefault({}),
  fallback: fallback.exactOptional(),
};

const source = z.string().min(1).max(4096);
const format = z.enum(['csv', 'parquet']);
const delimiter = z.string().length(1, 'expected one character');

const dataFromFile = z.union([
  source.transform((path): { source: string; format?: 'csv' | 'parquet'; delimiter?: string } => ({ source: path })),
  z.strictObject({
    source: source.describe('Path of the data, relative to this file.'),
    format: format.exactOptional().describe('Only needed when the ending of the file does not say it.'),
    delimiter: delimiter.exactOptional().describe('CSV only; default ",".'),
  }),
]);
const featureFromFile = z.union([
  z.enum(FEATURE_TYPES).transform((type): FeatureOverride => ({ type })),
  featureOverride,
]);

/** `model.yaml` as a person writes it. Durations such as `2h` become milliseconds. */
export const modelFileSchema = z.strictObject({
  ...common,
  data: dataFromFile.describe('The data file, CSV or Parquet.'),
  features: z
    .record(columnName, featureFromFile)
    .default({})
    .describe('What the data does not say by itself, by column: a type, or an object.'),
  rollout: rolloutFromFile.prefault({}),
  cache: cacheFromFile.exactOptional(),
});

export type ModelFile = z.output<typeof modelFileSchema>;

/** The resolved form: what `loadDefinition` gives, as JSON. Parts with defaults may be left out, a rollout may not. */
export const definitionSchema = z.strictObject({
  ...common,
  data: z
    .strictObject({ source, format, delimiter: delimiter.default(',') })
    .nullable()
    .describe('`null` for a model whose versions are imported.'),
  features: z.record(columnName, featureOverride).default({}),
  rollout: rolloutResolved,
  cache: cacheResolved.exactOptional(),
}) satisfies z.ZodType<ModelDefinition>;
