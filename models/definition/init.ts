import { dirname, relative, resolve, sep } from 'node:path';
import type { ModelDefinition } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import { cellText, distinctTexts, findColumn, isAllDistinct } from '../data/cells.ts';
import { checkLeakage } from '../data/checks/check-leakage.ts';
import type { DataColumn, DataTable } from '../data/dataset.ts';
import { decideFeatures, isNamedLikeId } from '../data/infer-features.ts';
import { dataFileError } from '../data/limits.ts';
import { missingColumn, readTarget, type Target } from '../data/read-target.ts';
import { readTable } from '../data/read-table.ts';
import { writeDraft, type Draft } from './draft-yaml.ts';
import { formatOfPath, parseDefinitionText } from './load.ts';

interface DraftOptions {
  readonly target: string;
  readonly positive?: string;
  readonly entity?: string;
  readonly name?: string;
  /** Where the draft will be written: the data's path in it is relative to this. Default: beside the data. */
  readonly outputPath?: string;
  /** Path of the JSON Schema for editors, named in the first line. */
  readonly schemaPath?: string;
}

const POSITIVE = /^(yes|y|true|t|1|positive|pos)$/i;
/** Columns so named are reported on in gates until a person says otherwise. */
const PROTECTED =
  /^(gender|sex|race|ethnicity|ethnic_group|religion|age|age_group|disability|nationality|marital_?status)$/i;
const DATE = /^\d{4}-\d{2}-\d{2}/;
/** What is guessed by itself keeps this policy; only whether a column is a feature is asked here. */
const POLICIES = { missing: 'flag', unknown: 'reject', outOfRange: 'reject' } as const;

/**
 * A first model.yaml for a data file, as text with comments that say what was inferred and why. It loads as it is.
 * @throws DomainError `dataInvalid` when the data cannot be read or the target has not two values; `invalidInput` when
 *   a named column is not there
 */
export async function draftDefinition(path: string, options: DraftOptions): Promise<string> {
  const outputPath = resolve(options.outputPath ?? `${dirname(path)}/model.yaml`);
  const { table, data } = await readAnyTable(path);
  const target = guessTarget(table, options);
  const entity = guessEntity(table, options);
  const rules = {
    target: { column: target.column, positive: target.positive },
    entity: entity?.column ?? null,
    features: {},
    policies: POLICIES,
  };
  const exclude = columnsToExclude(table, target, { ...rules, exclude: [] });
  const decisions = decideFeatures(table, { ...rules, exclude: exclude.map(({ column }) => column) });
  const text = writeDraft({
    name: options.name ?? nameOf(path),
    source: relativePath(dirname(outputPath), resolve(path)),
    data,
    table,
    entity,
    target,
    exclude,
    protected: decisions.features.map((feature) => feature.name).filter((name) => PROTECTED.test(name)),
    decisions,
    schemaPath:
      options.schemaPath === undefined ? null : relativePath(dirname(outputPath), resolve(options.schemaPath)),
  });
  parseDefinitionText(text, outputPath);
  return text;
}

/** By the file's ending; a CSV that seems to have one column is read again with the delimiter its header shows. */
async function readAnyTable(path: string): Promise<{ table: DataTable; data: Draft['data'] }> {
  const data = formatOfPath(path);
  if (data === null) throw dataFileError(path, 'must end in .csv, .tsv or .parquet');
  const table = await readTable(path, data);
  const only = table.columns.length === 1 ? (table.columns[0]?.name ?? '') : '';
  const delimiter = data.format === 'csv' ? [';', '\t', '|'].find((mark) => only.includes(mark)) : undefined;
  if (delimiter === undefined) return { table, data };
  return { table: await readTable(path, { ...data, delimiter }), data: { ...data, delimiter } };
}

function guessTarget(table: DataTable, options: DraftOptions): Draft['target'] {
  const column = requireColumn(table, 'target', options.target);
  if (options.positive !== undefined) {
    const target = readTarget(table, { column: column.name, positive: options.positive });
    return { ...target, column: column.name, reason: 'as asked for' };
  }
  const values = [...distinctTexts(column, 2)];
  const named = values.filter((value) => POSITIVE.test(value));
  const [first = '', second = ''] = values;
  const target = readTarget(table, { column: column.name, positive: named[0] ?? first });
  const two = `the values are "${target.positive}" and "${target.negative}"`;
  if (named.length === 1) return { ...target, column: column.name, reason: `${two}; this one reads like the event` };
  const positive = target.positives <= target.negatives ? target.positive : target.negative;
  const rarer = readTarget(table, { column: column.name, positive: positive === first ? first : second });
  return { ...rarer, column: column.name, reason: `${two}; this one is the rarer` };
}

/** A column in which every row differs: one named like an id before the others, never row numbers or times. */
function guessEntity(table: DataTable, options: DraftOptions): Draft['entity'] {
  if (options.entity !== undefined) {
    return { column: requireColumn(table, 'entity', options.entity).name, reason: 'as asked for' };
  }
  const candidates = table.columns.filter((column) => {
    if (column.name === options.target || column.kind === 'boolean') return false;
    if (column.kind === 'number' && !isNamedLikeId(column.name)) return false;
    return !DATE.test(cellText(column, 0) ?? '') && isAllDistinct(column);
  });
  const chosen = candidates.find((column) => isNamedLikeId(column.name)) ?? candidates[0];
  return chosen === undefined ? null : { column: chosen.name, reason: 'every row has another value in it' };
}

function columnsToExclude(
  table: DataTable,
  target: Target,
  rules: Parameters<typeof decideFeatures>[1],
): Draft['exclude'] {
  const { features, leftOut, problems } = decideFeatures(table, rules);
  const leaking = features.flatMap(({ name }) => {
    const column = findColumn(table, name);
    const found = column === undefined ? [] : checkLeakage(column, target.labels, false);
    return found.some(({ severity }) => severity === 'error')
      ? [{ column: name, reason: 'it tells the target without exception: is it known before the outcome?' }]
      : [];
  });
  const unusable = problems
    .filter(({ field }) => field.startsWith('features.'))
    .map(({ field, message }) => ({ column: field.slice('features.'.length), reason: message }));
  return [...leftOut, ...unusable, ...leaking];
}

function requireColumn(table: DataTable, option: string, name: string): DataColumn {
  const column = findColumn(table, name);
  if (column !== undefined) return column;
  const problem = missingColumn(table, option, name);
  throw new DomainError('invalidInput', `${option}: ${problem.message}`, [problem]);
}

/** The file's name as a model's name. */
function nameOf(path: string): ModelDefinition['name'] {
  const base =
    path
      .split(/[/\\]/)
      .at(-1)
      ?.replace(/\.[^.]*$/, '') ?? '';
  const name = base
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 63);
  return name === '' ? 'model' : name;
}

const relativePath = (from: string, to: string): string => relative(from, to).split(sep).join('/');
