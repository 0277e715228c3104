import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, extname, isAbsolute, resolve } from 'node:path';
import { isNode, isPair, isScalar, LineCounter, parseDocument, type Document, type YAMLMap } from 'yaml';
import type { z } from 'zod';
import type { DataSource, ModelDefinition, TrainableDefinition } from '../../domain/definition.ts';
import { describeProblems, DomainError, type Problem } from '../../domain/errors.ts';
import { canonicalJson } from '../canonical-json.ts';
import { crossProblems } from './cross-checks.ts';
import { explainIssues, type LocatedProblem } from './problems.ts';
import { definitionSchema, modelFileSchema, type ModelFile } from './schema.ts';

/** A definition is a page of text; 2,000 columns with overrides stay under this. */
const FILE_BYTES_MAX = 1_048_576;
/** Stops a small file whose aliases expand without end. */
const ALIAS_COUNT_MAX = 100;
/** More problems than a screen are not read. */
const PROBLEMS_MAX = 50;

const FORMATS: Readonly<Record<string, { format: 'csv' | 'parquet'; delimiter: string }>> = {
  '.csv': { format: 'csv', delimiter: ',' },
  '.tsv': { format: 'csv', delimiter: '\t' },
  '.tab': { format: 'csv', delimiter: '\t' },
  '.parquet': { format: 'parquet', delimiter: ',' },
  '.pq': { format: 'parquet', delimiter: ',' },
};

/** Format and delimiter a file's ending stands for; `null` when it says nothing. */
export function formatOfPath(path: string): { format: 'csv' | 'parquet'; delimiter: string } | null {
  return FORMATS[extname(path).toLowerCase()] ?? null;
}

/**
 * Reads `model.yaml`: YAML 1.2, checked, defaults filled in, the data's path made absolute.
 * @throws DomainError `notFound` when there is no such file; `invalidInput` with every problem at once, each with its
 *   field, its line and what is allowed
 */
export async function loadDefinition(path: string): Promise<TrainableDefinition> {
  const text = await readDefinitionFile(path);
  return parseDefinitionText(text, resolve(path));
}

/** The same for text that is already read; `path` says where relative paths start and is named in errors. */
export function parseDefinitionText(text: string, path: string): TrainableDefinition {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map((e) => ({
      field: `line ${lines.linePos(e.pos[0]).line}`,
      message: `not YAML: ${e.message}`,
    }));
    throw unusable(path, problems);
  }
  const located = (problems: readonly LocatedProblem[]) => problems.map((p) => withLine(p, document, lines));
  const file = check(modelFileSchema, withoutEmptySections(toPlain(document, path)), (problems) =>
    unusable(path, located(problems)),
  );
  return { ...file, data: resolveData(file.data, path) };
}

/**
 * Checks the resolved JSON form of a definition, as the API takes it and the registry stores it. What `loadDefinition`
 * gave comes back unchanged.
 * @throws DomainError `invalidInput` with every problem at once
 */
export function parseDefinition(json: unknown): ModelDefinition {
  const definition = check(definitionSchema, json, (problems) =>
    unusable('The model definition', problems.map(toProblem)),
  );
  if (definition.data !== null && !isAbsolute(definition.data.source)) {
    throw unusable('The model definition', [{ field: 'data.source', message: 'must be an absolute path' }]);
  }
  return definition;
}

/** SHA-256, lower-case hex, of the canonical JSON of a definition. */
export function definitionDigest(definition: ModelDefinition): string {
  return createHash('sha256').update(canonicalJson(definition)).digest('hex');
}

function check<T>(schema: z.ZodType<T>, raw: unknown, fail: (problems: LocatedProblem[]) => DomainError): T {
  const parsed = schema.safeParse(raw);
  const shape = parsed.success ? [] : explainIssues(schema, raw, parsed.error.issues);
  // One sentence a field: what follows from a broken value (a duration that is none counts as missing) says nothing new.
  const all = [...shape, ...crossProblems(raw)];
  const problems = all.filter((p, i) => all.findIndex((other) => other.field === p.field) === i);
  if (!parsed.success || problems.length > 0) throw fail(problems.slice(0, PROBLEMS_MAX));
  return parsed.data;
}

async function readDefinitionFile(path: string): Promise<string> {
  try {
    const { size } = await stat(path);
    if (size > FILE_BYTES_MAX) {
      const message = `is ${size} bytes; a model definition is at most ${FILE_BYTES_MAX}`;
      throw unusable(path, [{ field: 'file', message }]);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code === 'ENOENT') throw new DomainError('notFound', `There is no model definition at ${path}`);
    throw unusable(path, [{ field: 'file', message: `cannot be read (${code})` }]);
  }
}

function toPlain(document: Document.Parsed, path: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIAS_COUNT_MAX }) as unknown;
  } catch (error) {
    throw unusable(path, [{ field: 'file', message: (error as Error).message }]);
  }
}

/** A section whose lines are all commented out is YAML's null; it means the same as a section that is not there. */
function withoutEmptySections(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  return Object.fromEntries(Object.entries(raw).filter(([, section]) => section !== null));
}

function resolveData(data: ModelFile['data'], path: string): DataSource {
  const byEnding = formatOfPath(data.source);
  const format = data.format ?? byEnding?.format;
  if (format === undefined) {
    const message = `the ending of "${data.source}" does not say what it is`;
    throw unusable(path, [{ field: 'data.format', message, allowed: ['csv', 'parquet'] }]);
  }
  return {
    source: resolve(dirname(path), data.source),
    format,
    delimiter: data.delimiter ?? byEnding?.delimiter ?? ',',
  };
}

const toProblem = ({ field, message, allowed }: LocatedProblem): Problem => ({
  field,
  message,
  ...(allowed === undefined ? {} : { allowed }),
});

function withLine(problem: LocatedProblem, document: Document.Parsed, lines: LineCounter): Problem {
  const line = lineOf(document, lines, problem.path);
  const plain = toProblem(problem);
  return line === null ? plain : { ...plain, message: `${plain.message} (line ${line})` };
}

/** Line of the key, or of the nearest parent that is written down; `null` for the document as a whole. */
function lineOf(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): number | null {
  for (let length = path.length; length > 0; length -= 1) {
    const parent: unknown = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pairs = (parent as Partial<YAMLMap> | undefined)?.items ?? [];
    const pair = pairs.find((item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(last));
    const node: unknown = pair !== undefined && isPair(pair) ? pair.key : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range != null) return lines.linePos(node.range[0]).line;
  }
  return null;
}

function unusable(what: string, problems: readonly Problem[]): DomainError {
  const count = `${problems.length} problem${problems.length === 1 ? '' : 's'}`;
  return new DomainError('invalidInput', `${what} cannot be used, ${count}: ${describeProblems(problems)}`, problems);
}
