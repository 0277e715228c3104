import { stringify } from 'yaml';
import type { FeatureSpec } from '../../domain/signature.ts';
import { grouped } from '../data/limits.ts';
import type { DataTable } from '../data/dataset.ts';
import type { FeatureDecisions } from '../data/infer-features.ts';
import type { Target } from '../data/read-target.ts';

/** What was found in the data, each with the reason the draft shows. */
export interface Draft {
  readonly name: string;
  readonly source: string;
  readonly data: { readonly format: 'csv' | 'parquet'; readonly delimiter: string };
  readonly table: DataTable;
  readonly entity: { readonly column: string; readonly reason: string } | null;
  readonly target: Target & { readonly column: string; readonly reason: string };
  readonly exclude: readonly { readonly column: string; readonly reason: string }[];
  readonly protected: readonly string[];
  readonly decisions: FeatureDecisions;
  readonly schemaPath: string | null;
}

/** Features listed one by one; a wide table's list would hide the rest of the file. */
const FEATURES_LISTED_MAX = 60;

/** The text of a first model.yaml: what was found, why, and what else could be said. */
export function writeDraft(draft: Draft): string {
  return [
    ...(draft.schemaPath === null ? [] : [`# yaml-language-server: $schema=${draft.schemaPath}`]),
    `# Drafted from ${oneLine(draft.source)}: ${grouped(draft.table.rows)} rows, ${draft.table.columns.length} columns. Loads as it is; every line may be changed.`,
    `name: ${scalar(draft.name)}`,
    ...dataLines(draft),
    '',
    ...entityLines(draft),
    '',
    'target:',
    `  column: ${scalar(draft.target.column)}`,
    `  # ${oneLine(draft.target.reason)}. ${grouped(draft.target.positives)} of ${grouped(draft.target.positives + draft.target.negatives)} rows have it.`,
    `  positive: ${scalar(draft.target.positive)}`,
    '',
    ...excludeLines(draft),
    ...protectedLines(draft),
    '',
    ...featureLines(draft),
    '',
    FIXED_PART,
  ].join('\n');
}

function dataLines({ source, data }: Draft): string[] {
  if (data.format === 'parquet' || data.delimiter === ',' || source.endsWith('.tsv') || source.endsWith('.tab')) {
    return [`data: ${scalar(source)}`];
  }
  return ['data:', `  source: ${scalar(source)}`, `  delimiter: ${scalar(data.delimiter)}`];
}

function entityLines({ entity }: Draft): string[] {
  if (entity === null) {
    return [
      '# No column in which every row has another value: rows stand for themselves. Name one if there is a customer,',
      '# device or the like; its rows then stay together when a part is held out, and traffic is split by it.',
      'entity: null',
    ];
  }
  return [
    `# Identifies the customer, device or the like; never a feature: ${entity.reason}.`,
    `entity: ${scalar(entity.column)}`,
  ];
}

function excludeLines({ exclude }: Draft): string[] {
  if (exclude.length === 0) return ['# Columns that are not learned from.', 'exclude: []'];
  return [
    '# Columns that are not learned from, and why.',
    'exclude:',
    ...exclude.map(({ column, reason }) => `  - ${scalar(column)} # ${oneLine(reason)}`),
  ];
}

function protectedLines(draft: Draft): string[] {
  const lines = ['# Protected attributes (gates report on them); guessed from the names of the columns.'];
  if (draft.protected.length === 0) return [...lines, 'protected: []'];
  return [...lines, 'protected:', ...draft.protected.map((column) => `  - ${scalar(column)}`)];
}

function featureLines({ decisions }: Draft): string[] {
  const listed = decisions.features.slice(0, FEATURES_LISTED_MAX);
  const more = decisions.features.length - listed.length;
  return [
    '# What was inferred. To say otherwise, take away the "# " of a line and change it.',
    'features:',
    ...listed.map((feature) => `  # ${featureLine(feature)}`),
    ...(more === 0 ? [] : [`  # ... and ${grouped(more)} more`]),
  ];
}

function featureLine(feature: FeatureSpec): string {
  const { name, type, min, max, categories } = feature;
  const range = min === undefined || max === undefined ? '' : `, min: ${min}, max: ${max}`;
  const values =
    categories === undefined
      ? ''
      : ` # ${oneLine(categories.slice(0, 6).join(' | '))}${categories.length > 6 ? ' | ...' : ''}`;
  return `${scalar(name)}: { type: ${type}${range} }${values}`;
}

/** One YAML scalar on one line, quoted when it must be. */
const scalar = (text: string): string => {
  const plain = stringify(text, { lineWidth: 0 }).trimEnd();
  return plain.includes('\n') || plain.startsWith('|') || plain.startsWith('>') ? JSON.stringify(text) : plain;
};

/** Data may hold anything; a line break would end the comment. */
const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

const FIXED_PART = `# A value never seen in training: \`reject\` answers an error that names what is allowed, \`flag\` predicts and warns.
policies: { missing: flag, unknown: reject, outOfRange: reject }

# Probabilities at which the risk category becomes medium and high.
risk: { medium: 0.3, high: 0.6 }

training:
  # All are tried; the one with the lower cross-validated log loss is kept.
  algorithms: [spline-logistic, gradient-boosting]
  seed: 42
  # Share of rows no training step sees; the gates judge on them.
  holdoutPercent: 20
  folds: 5

gates:
  quality:
    # Gentle: better than guessing (0.5). Raise it once you know what this data allows.
    auc: { min: 0.6 }
  # Not worse than the version in service, on the same held-out rows, by more than this.
  champion: { metric: auc, tolerance: 0.005 }
  latencyP95MsMax: 100
  throughputRowsPerSecondMin: 1000

# Short steps, to see a rollout through. In production rather: 5 % for 2h, 25 % for 6h, 50 % for 12h, minRequests 1000,
# observeEvery 4s, keepWarm 1h.
rollout:
  strategy: canary
  limits: { errorRateMax: 0.001, p95MsMax: 120 }
  minRequests: 50
  observeEvery: 2s
  keepWarm: 60s
  canary:
    steps:
      - { weightPercent: 10, bakeTime: 30s }
      - { weightPercent: 50, bakeTime: 30s }
      - { weightPercent: 100 }

retraining: { schedule: none }
`;
