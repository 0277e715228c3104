import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse } from 'csv-parse';
import type { DomainError } from '../../domain/errors.ts';
import { createColumnBuilder, type ColumnBuilder } from './column-builder.ts';
import type { DataTable } from './dataset.ts';
import { checkTableSize, dataFileError, grouped } from './limits.ts';

/** Longest row: 2,000 columns of 1,000 characters. A quote that is never closed ends here instead of filling the memory. */
const ROW_CHARACTERS_MAX = 2_000_000;

/**
 * Reads a CSV file (RFC 4180: quoted fields, doubled quotes) with a header. UTF-8, with or without a byte order mark;
 * any line ending; empty lines are skipped.
 * @throws DomainError `dataInvalid` naming the file, the line and what is wrong
 */
export async function readCsv(path: string, delimiter: string): Promise<DataTable> {
  let builders: ColumnBuilder[] | null = null;
  let rows = 0;
  const take = (record: readonly string[]) => {
    if (builders === null) {
      builders = checkHeader(path, record).map((name) => createColumnBuilder(name));
      checkTableSize(path, 0, builders.length);
      return;
    }
    rows += 1;
    checkTableSize(path, rows, builders.length);
    for (const [i, builder] of builders.entries()) builder.add(record[i] ?? '');
  };
  const parser = parse({ delimiter, bom: true, skip_empty_lines: true, max_record_size: ROW_CHARACTERS_MAX });
  try {
    await pipeline(
      createReadStream(path),
      (chunks: AsyncIterable<Buffer>) => decodeUtf8(path, chunks),
      parser,
      async (records: AsyncIterable<readonly string[]>) => {
        for await (const record of records) take(record);
      },
    );
  } catch (error) {
    throw error instanceof CsvError ? explain(path, error) : error;
  }
  const finished = (builders as ColumnBuilder[] | null)?.map((builder) => builder.finish());
  if (finished === undefined) throw dataFileError(path, 'is empty: expected a header line and rows');
  if (rows === 0) throw dataFileError(path, 'has a header but no rows');
  return { columns: finished, rows };
}

/** Column names as written, without surrounding space: present, distinct. */
export function checkHeader(path: string, record: readonly string[]): string[] {
  const names = record.map((name) => name.trim());
  const seen = new Set<string>();
  names.forEach((name, i) => {
    if (name === '') throw dataFileError(path, `has no name for column ${i + 1} in its header`);
    if (name === '__proto__') throw dataFileError(path, 'has a column named __proto__, a name that cannot be used');
    if (seen.has(name)) throw dataFileError(path, `has two columns named "${name}"`);
    seen.add(name);
  });
  return names;
}

async function* decodeUtf8(path: string, chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decode = (chunk?: Buffer): string => {
    try {
      return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
    } catch {
      throw dataFileError(path, 'is not UTF-8 text: save it as CSV in UTF-8');
    }
  };
  for await (const chunk of chunks) yield decode(chunk);
  yield decode();
}

function explain(path: string, error: CsvError): DomainError {
  const line = typeof error['lines'] === 'number' ? error['lines'] : 0;
  const at = `line ${grouped(line)}`;
  if (error.code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH') {
    const record: unknown = error['record'];
    const found = Array.isArray(record) ? record.length : 0;
    const counts = /expect (\d+)/.exec(error.message)?.[1] ?? 'another number of';
    return dataFileError(path, `has ${found} values in ${at} where its header names ${counts} columns`);
  }
  if (error.code === 'CSV_QUOTE_NOT_CLOSED' || error.code === 'CSV_MAX_RECORD_SIZE') {
    return dataFileError(path, `has a quoted value that is not closed, or is too long, before ${at}`);
  }
  if (error.code === 'INVALID_OPENING_QUOTE' || error.code === 'CSV_INVALID_CLOSING_QUOTE') {
    return dataFileError(
      path,
      `has a quote in the middle of a value in ${at}: quote the whole value and double the quote`,
    );
  }
  return dataFileError(path, `is not CSV in ${at}: ${error.message}`);
}
