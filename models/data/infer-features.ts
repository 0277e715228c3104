import type { FeatureOverride, ModelDefinition } from '../../domain/definition.ts';
import { ENCODED_TENSOR, OUTPUT_TENSOR } from '../../domain/encoding.ts';
import { describeProblems, DomainError, type Problem } from '../../domain/errors.ts';
import type { FeatureSpec, FeatureType } from '../../domain/signature.ts';
import { countMissing, distinctTexts, isAllDistinct } from './cells.ts';
import type { DataColumn, DataTable } from './dataset.ts';
import { inferRange } from './infer-range.ts';
import { grouped } from './limits.ts';
import { typeProblem, wholeNumbers } from './type-fit.ts';

/** A text column with more distinct values is free text or an identifier more often than a category. */
const CATEGORIES_MAX = 100;
/** Even when asked for: each category is a column of the linear model and a key of the artefact's encoder. */
const CATEGORIES_OVERRIDDEN_MAX = 1000;
/** Fewer consecutive numbers than this may be a real count; more are row numbers. */
const ROW_NUMBERS_MIN = 20;

/** Names of tensors inside the artefact. */
const RESERVED_NAMES: readonly string[] = [ENCODED_TENSOR, OUTPUT_TENSOR];

/** The parts of a definition that features depend on. */
type FeatureRules = Pick<ModelDefinition, 'target' | 'entity' | 'exclude' | 'features' | 'policies'>;

interface InferredFeatures {
  readonly features: readonly FeatureSpec[];
  /** What was decided and why, one line a column. */
  readonly notes: readonly string[];
}

/**
 * The features of a table: what the definition says, and for the rest what the data suggests.
 * @throws DomainError `dataInvalid` when an override cannot be met by the data or no feature is left
 */
export function inferFeatures(table: DataTable, definition: ModelDefinition): InferredFeatures {
  const { problems, features, notes } = decideFeatures(table, definition);
  if (problems.length === 0) return { features, notes };
  throw new DomainError('dataInvalid', `The data does not fit the definition: ${describeProblems(problems)}`, problems);
}

export interface FeatureDecisions extends InferredFeatures {
  readonly leftOut: readonly { readonly column: string; readonly reason: string }[];
  readonly problems: readonly Problem[];
}

/** The same with the problems as a list, for the data report and the draft of a definition. */
export function decideFeatures(table: DataTable, definition: FeatureRules): FeatureDecisions {
  const features: FeatureSpec[] = [];
  const leftOut: { column: string; reason: string }[] = [];
  const notes: string[] = [];
  const problems: Problem[] = [];
  const skipped = new Set([definition.target.column, definition.entity, ...definition.exclude]);
  for (const column of table.columns) {
    if (skipped.has(column.name)) continue;
    const decision = decideColumn(column, definition.features[column.name] ?? {}, definition.policies);
    if (decision.kind === 'problem') {
      problems.push({ field: `features.${column.name}`, message: decision.message });
      continue;
    }
    if (decision.kind === 'feature') features.push(decision.feature);
    else leftOut.push({ column: column.name, reason: decision.reason });
    notes.push(`${column.name}: ${decision.kind === 'feature' ? decision.note : `left out; ${decision.reason}`}`);
  }
  if (features.length === 0 && problems.length === 0) {
    problems.push({ field: 'features', message: 'no column is left to learn from' });
  }
  return { features, notes, leftOut, problems };
}

type Decision =
  | { readonly kind: 'feature'; readonly feature: FeatureSpec; readonly note: string }
  | { readonly kind: 'leftOut'; readonly reason: string }
  | { readonly kind: 'problem'; readonly message: string };

function decideColumn(column: DataColumn, override: FeatureOverride, policies: ModelDefinition['policies']): Decision {
  if (RESERVED_NAMES.includes(column.name)) {
    return { kind: 'problem', message: `"${column.name}" is a name inside the artefact: rename or exclude the column` };
  }
  const missing = countMissing(column);
  const reason = override.type === undefined ? reasonToLeaveOut(column, missing) : null;
  if (reason !== null) return { kind: 'leftOut', reason };
  const type = override.type ?? suggestType(column);
  const misfit = missing === column.values.length ? 'every value is blank' : typeProblem(column, type);
  if (misfit !== null) return { kind: 'problem', message: misfit };
  const described = describeValues(column, type, override);
  if (described.kind === 'problem') return described;
  const feature: FeatureSpec = {
    name: column.name,
    type,
    ...described.values,
    missing: override.missing ?? policies.missing,
    unknown: override.unknown ?? policies.unknown,
    outOfRange: override.outOfRange ?? policies.outOfRange,
  };
  const blank =
    missing === 0
      ? ''
      : `; ${grouped(missing)} of ${grouped(column.values.length)} values are blank and count as missing`;
  return { kind: 'feature', feature, note: `${type}${described.note}${blank}` };
}

/** Why a column that nobody described is not learned from; `null` when it is. */
function reasonToLeaveOut(column: DataColumn, missing: number): string | null {
  const rows = column.values.length;
  if (missing === rows) return 'every value is blank';
  if (distinctTexts(column, 1).size === 1) {
    return missing === 0 ? 'its value never changes' : 'it has one value and blanks; give it a type to use it';
  }
  if (column.kind === 'text') {
    if (isAllDistinct(column)) return 'every row has another text, as in an identifier; give it a type to use it';
    if (distinctTexts(column, CATEGORIES_MAX).size > CATEGORIES_MAX) {
      return `it has more than ${CATEGORIES_MAX} different texts; give it the type category to use up to ${grouped(CATEGORIES_OVERRIDDEN_MAX)}`;
    }
  }
  if (column.kind === 'number' && isIdentifier(column.name, column.values)) {
    return 'every row has another whole number, as in an identifier or row number; give it a type to use it';
  }
  return null;
}

/** `id`, `customer_id`, `customerID`, `Product ID`; not `paid`. */
export const isNamedLikeId = (name: string): boolean => /(^|[^a-zA-Z])(id|ID|Id)$|[a-z](Id|ID)$/.test(name);

/** Whole numbers, all different, that follow each other without a gap or whose column is named like an id. */
function isIdentifier(name: string, values: Float64Array): boolean {
  if (values.length < ROW_NUMBERS_MIN || !wholeNumbers(values)) return false;
  let [min, max] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const consecutive = max - min + 1 === values.length;
  return (consecutive || isNamedLikeId(name)) && isAllDistinct({ name, kind: 'number', values });
}

function suggestType(column: DataColumn): FeatureType {
  if (column.kind === 'boolean') return 'boolean';
  if (column.kind === 'text') return 'category';
  return wholeNumbers(column.values) ? 'integer' : 'number';
}

type Described =
  | {
      readonly kind: 'values';
      readonly values: { readonly categories?: readonly string[]; readonly min?: number; readonly max?: number };
      readonly note: string;
    }
  | { readonly kind: 'problem'; readonly message: string };

function describeValues(column: DataColumn, type: FeatureType, override: FeatureOverride): Described {
  if (type === 'boolean') return { kind: 'values', values: {}, note: '' };
  if (type === 'category') {
    const categories = [...distinctTexts(column, CATEGORIES_OVERRIDDEN_MAX)].sort();
    if (categories.length > CATEGORIES_OVERRIDDEN_MAX) {
      return {
        kind: 'problem',
        message: `has more than ${grouped(CATEGORIES_OVERRIDDEN_MAX)} different values for a category`,
      };
    }
    return { kind: 'values', values: { categories }, note: ` of ${categories.length} values` };
  }
  const range = inferRange(column, type);
  const min = override.min ?? range.min;
  const max = override.max ?? range.max;
  if (min > max) {
    return { kind: 'problem', message: `allows ${min} to ${max} when the data's own bound is taken for the other end` };
  }
  const note = `, ${range.seenMin} to ${range.seenMax} in the data, ${min} to ${max} allowed`;
  return { kind: 'values', values: { min, max }, note };
}
