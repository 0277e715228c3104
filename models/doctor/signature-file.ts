import { parseDocument } from 'yaml';
import { z } from 'zod';
import { describeProblems, DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import { FEATURE_ENCODINGS, FEATURE_TYPES, VALUE_POLICIES } from '../../domain/signature.ts';
import { encodedLayout, encodedWidth } from '../../domain/encoding.ts';
import { explainIssues } from '../definition/problems.ts';
import { CATEGORIES_MAX, COLUMNS_MAX } from './limits.ts';

const NAME_LENGTH_MAX = 256;
/** Names of 10,000 features with their categories stay far below. */
export const SIGNATURE_BYTES_MAX = 1024 * 1024;
/** YAML aliases expand without end. */
const ALIAS_COUNT_MAX = 100;

const name = z.string().min(1).max(NAME_LENGTH_MAX);
const share = z.number().min(0).max(1);
/** YAML reads `positive: 1` as a number; a class is always named by its text. */
const className = z.union([z.string().min(1).max(NAME_LENGTH_MAX), z.number(), z.boolean()]).transform(String);
const policy = z.enum(VALUE_POLICIES).exactOptional();

const feature = z.strictObject({
  name,
  type: z.enum(FEATURE_TYPES).default('number'),
  categories: z
    .array(z.union([z.string(), z.number(), z.boolean()]).transform(String))
    .min(1)
    .max(CATEGORIES_MAX)
    .exactOptional()
    .describe('In the order of their columns or codes.'),
  encoding: z.enum(FEATURE_ENCODINGS).exactOptional(),
  column: z.int().min(0).max(COLUMNS_MAX).exactOptional().describe('First column in the matrix, from 0.'),
  min: z.number().exactOptional(),
  max: z.number().exactOptional(),
  missing: policy,
  unknown: policy,
  outOfRange: policy,
});

const schema = z.strictObject({
  features: z.array(feature).min(1).max(COLUMNS_MAX).exactOptional().describe('In the order of the columns.'),
  entity: name.nullable().exactOptional(),
  target: z
    .strictObject({
      column: name.exactOptional(),
      positive: className.exactOptional(),
      negative: className.exactOptional(),
    })
    .exactOptional(),
  threshold: share.exactOptional(),
  risk: z
    .strictObject({ medium: share, high: share })
    .refine((r) => r.medium <= r.high, { path: ['medium'], error: 'must not be more than risk.high' })
    .exactOptional(),
  output: z
    .strictObject({ name: name.exactOptional(), column: z.int().min(0).max(COLUMNS_MAX).exactOptional() })
    .exactOptional()
    .describe('Where the probability of the positive class is, when the doctor cannot tell.'),
});

/** What a person knows of a model file and the file does not say. All of it may be left out. */
export type SignatureFile = z.output<typeof schema>;
export type DraftFeature = z.output<typeof feature>;

/**
 * Reads a signature file, YAML or JSON.
 * @throws DomainError `invalidInput` with every problem at once
 */
export function parseSignatureFile(text: string): SignatureFile {
  const document = parseDocument(text, { prettyErrors: false });
  const [broken] = document.errors;
  if (broken !== undefined) throw unusable([{ field: 'signature', message: `not YAML: ${broken.message}` }]);
  let raw: unknown;
  try {
    raw = document.toJS({ maxAliasCount: ALIAS_COUNT_MAX });
  } catch (error) {
    throw unusable([{ field: 'signature', message: (error as Error).message }]);
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) {
    throw unusable(
      explainIssues(schema, raw, parsed.error.issues).map(({ field, message, allowed }) => ({
        field,
        message,
        ...(allowed === undefined ? {} : { allowed }),
      })),
    );
  }
  const problems = checkFeatures(parsed.data.features ?? []);
  if (problems.length > 0) throw unusable(problems);
  return parsed.data;
}

function unusable(problems: readonly Problem[]): DomainError {
  return new DomainError('invalidInput', `The signature cannot be used: ${describeProblems(problems)}`, problems);
}

function checkFeatures(features: readonly DraftFeature[]): Problem[] {
  const problems = features.flatMap((f, i) => checkFeature(f).map((message) => ({ field: `features[${i}]`, message })));
  const names = new Set<string>();
  for (const [i, f] of features.entries()) {
    if (names.has(f.name)) problems.push({ field: `features[${i}].name`, message: `${f.name} is there twice` });
    names.add(f.name);
  }
  return [...problems, ...overlaps(features)];
}

function checkFeature({ name: feature, type, categories, encoding, min, max }: DraftFeature): string[] {
  const said: string[] = [];
  if (type === 'category') {
    if ((encoding === 'oneHot' || encoding === 'code') && categories === undefined) {
      said.push(
        `${feature} is encoded as ${encoding}: list its categories in the order of the ${encoding === 'code' ? 'codes' : 'columns'}`,
      );
    }
    if (new Set(categories).size !== (categories?.length ?? 0)) said.push(`${feature} names a category twice`);
    if (categories?.some((c) => c.trim() === '') === true)
      said.push(`${feature}: a blank value is a missing one, not a category`);
    if (min !== undefined || max !== undefined) said.push(`${feature} is a category, which has no range`);
    return said;
  }
  if (categories !== undefined) said.push(`${feature} has categories, so its type is category`);
  if (encoding !== undefined && encoding !== 'raw') said.push(`${feature} is a ${type}, which is fed as it is (raw)`);
  if (min !== undefined && max !== undefined && min > max) said.push(`${feature}: min is more than max`);
  return said;
}

/** Two features in one column would overwrite each other. */
function overlaps(features: readonly DraftFeature[]): Problem[] {
  const { columns } = encodedLayout(features.map(asSpec));
  const ranges = features
    .map((f, i) => ({ name: f.name, from: columns[i] ?? 0, to: (columns[i] ?? 0) + encodedWidth(asSpec(f)) }))
    .sort((a, b) => a.from - b.from);
  return ranges.flatMap((range, i) => {
    const before = ranges[i - 1];
    if (before === undefined || before.to <= range.from) return [];
    return [{ field: 'features', message: `${before.name} and ${range.name} share column ${range.from}` }];
  });
}

/** A draft with policies that no layout depends on. */
export function asSpec(draft: DraftFeature) {
  return { missing: 'flag', unknown: 'flag', outOfRange: 'flag', ...draft } as const;
}
