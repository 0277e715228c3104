/** `text/csv`: cells become what JSON would have sent, by the signature and not by what they look like. */
import { isUtf8 } from 'node:buffer';
import { CsvError, parse } from 'csv-parse/sync';
import { DomainError } from '../../../domain/errors.ts';
import type { FeatureSpec, FeatureValue, Signature } from '../../../domain/signature.ts';
import { BATCH_ROWS_MAX } from '../../schemas/predictions.ts';
import type { PredictRequest } from '../../serving/contract.ts';
import type { ProblemList } from '../problem-list.ts';
import { entityColumns } from '../table-rows.ts';
import { tableRows } from './scoring-json.ts';

/** Some lines more than are answered, so that the count is refused and not cut. */
const LINES_MAX = BATCH_ROWS_MAX + 2;
/** A decimal number as data files write it. A leading zero (`007`) is a text, as in the training data. */
const NUMERAL = /^[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/**
 * @param header `present` and `absent` as the media type's parameter says (RFC 4180); `null`: the first line is one when
 *   at least half of its cells are names of columns
 * @throws DomainError `malformedRequest` with the line
 */
export function readScoringCsv(
  bytes: Buffer,
  header: 'present' | 'absent' | null,
  signature: Signature,
  problems: ProblemList,
): readonly PredictRequest[] {
  const lines = parseLines(bytes);
  const features = signature.features.map((f) => f.name);
  const [first] = lines;
  const hasHeader = header === null ? first !== undefined && looksLikeHeader(first, signature) : header === 'present';
  const columns = hasHeader ? (first ?? []) : features;
  const specs = new Map(signature.features.map((f) => [f.name, f]));
  const readers = columns.map((name) => specs.get(name));
  const data = lines.slice(hasHeader ? 1 : 0).map((cells) => cells.map((text, i) => cellValue(text, readers[i])));
  return tableRows(columns, data, 'body', signature, problems);
}

function parseLines(bytes: Buffer): readonly (readonly string[])[] {
  if (!isUtf8(bytes)) throw new DomainError('malformedRequest', 'The body is not UTF-8 text');
  try {
    return parse(bytes, { bom: true, relax_column_count: true, skip_empty_lines: true, to: LINES_MAX });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const { lines } = error as CsvError & { readonly lines?: number };
    const where = lines === undefined ? '' : ` at line ${lines}`;
    throw new DomainError('malformedRequest', `The body is not CSV${where}: ${csvFault(error.code)}`);
  }
}

/** The parser's own messages quote the data. */
function csvFault(code: string): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED') return 'a quotation mark is not closed';
  return code.includes('QUOTE') ? 'a quotation mark stands inside a cell' : 'a line cannot be read';
}

function looksLikeHeader(cells: readonly string[], signature: Signature): boolean {
  const names = new Set([...signature.features.map((f) => f.name), ...entityColumns(signature)]);
  const known = cells.filter((cell) => names.has(cell)).length;
  return known > 0 && known * 2 >= cells.length;
}

/** Blank is missing, as in the training data. What does not fit stays a text, for the serving path to refuse. */
function cellValue(text: string, spec: FeatureSpec | undefined): FeatureValue {
  if (text.trim() === '') return null;
  switch (spec?.type) {
    case 'number':
    case 'integer':
      return NUMERAL.test(text.trim()) ? Number(text) : text;
    case 'boolean':
      return /^(true|false)$/i.test(text.trim()) ? text.trim().toLowerCase() === 'true' : text;
    case 'category':
    case undefined:
      return text;
  }
}
