import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { parquetWriteFile, type ColumnSource } from 'hyparquet-writer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DataTable } from '../../../../models/data/dataset.ts';
import { readTable } from '../../../../models/data/read-table.ts';
import { csvCell, writeSecondDataset } from '../../../fixtures-generators/second-dataset.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-table-'));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function csv(content: string | Uint8Array, delimiter = ','): Promise<DataTable> {
  const path = join(folder, `t${(files += 1)}.csv`);
  await writeFile(path, content);
  return readTable(path, { format: 'csv', delimiter });
}
async function parquet(columnData: ColumnSource[]): Promise<DataTable> {
  const filename = join(folder, `t${(files += 1)}.parquet`);
  parquetWriteFile({ filename, columnData });
  return readTable(filename, { format: 'parquet' });
}
const column = (table: DataTable, name = 'a') => {
  const { kind, values } = table.columns.find((c) => c.name === name)!;
  return { kind, values: Array.from<unknown>(values) };
};

describe('a CSV file', () => {
  it('has numbers where every value that is not blank is a number', async () => {
    const table = await csv('a,b,c\n1,x, \n-2.5e1,,3\n .5 ,y,4.\n');
    expect(table.rows).toBe(3);
    expect(column(table)).toEqual({ kind: 'number', values: [1, -25, 0.5] });
    expect(column(table, 'b')).toEqual({ kind: 'text', values: ['x', null, 'y'] });
    expect(column(table, 'c')).toEqual({ kind: 'number', values: [NaN, 3, 4] });
  });

  it('keeps the spelling of numbers in a column that turns out to be text', async () => {
    expect(column(await csv('a,b\n1.50,x\n,x\n2,x\nn/a,x\n'))).toEqual({
      kind: 'text',
      values: ['1.50', null, '2', 'n/a'],
    });
  });

  it.each(['007', '1e999', 'NaN', 'Infinity', '0x10', '1,5', '9007199254740993', '12345678901234567890'])(
    'does not take %s for a number',
    async (text) => {
      expect(column(await csv(`a,b\n${csvCell(text)},1\n`))).toEqual({ kind: 'text', values: [text] });
    },
  );

  it('has booleans where every value is true or false, in any case', async () => {
    expect(column(await csv('a,b\nTrue,1\nfalse,1\n,1\n'))).toEqual({ kind: 'boolean', values: [true, false, null] });
    expect(column(await csv('a,b\ntrue,1\nyes,1\n')).kind).toBe('text');
  });

  it('may have a byte order mark, Windows line ends, quotes, another delimiter and empty lines', async () => {
    const table = await csv('\uFEFF"a";b\r\n"x;""y""\r\nz";1\r\n\r\n"";2\r\n', ';');
    expect(column(table)).toEqual({ kind: 'text', values: ['x;"y"\r\nz', null] });
    expect(column(table, 'b')).toEqual({ kind: 'number', values: [1, 2] });
  });

  it('gives back any texts that were written', async () => {
    const text = fc.string({ unit: 'binary', minLength: 1 }).filter((s) => s.trim() !== '');
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).filter((n) => !isUnsafe(n) && !Object.is(n, -0));
    const row = fc.tuple(
      text.map((s) => `t${s}`),
      fc.option(text.map((s) => `t${s}`)),
      fc.option(number),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 20 }), async (rows) => {
        const lines = [['a', 'b', 'c'], ...rows, ['end', 'end', 0]].map((cells) => cells.map(quoted).join(','));
        const table = await csv(lines.join('\n'));
        expect(column(table).values.slice(0, -1)).toEqual(rows.map(([a]) => a));
        expect(column(table, 'b').values.slice(0, -1)).toEqual(rows.map(([, b]) => b));
        expect(column(table, 'c').values.slice(0, -1)).toEqual(rows.map(([, , c]) => c ?? NaN));
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['', /is empty/],
    ['a,b\n', /has a header but no rows/],
    ['a,b\n1,2\n3\n', /has 1 values in line 3 where its header names 2 columns/],
    ['a,b\n"x\ny",2\n3,4,5\n', /has 3 values in line 4/],
    ['a,b,a\n1,2,3\n', /has two columns named "a"/],
    ['a,,c\n1,2,3\n', /no name for column 2/],
    ['a,b\n"x,1\n', /quoted value that is not closed/],
    ['a,b\nx"y,1\n', /quote in the middle of a value in line 2/],
    ['__proto__,b\n1,2\n', /__proto__/],
    [Buffer.from([0x61, 0x0a, 0xe4, 0x0a]), /is not UTF-8/],
    [Array.from({ length: 2001 }, (_, i) => `c${i}`).join(',') + '\n', /has 2,001 columns; at most 2,000/],
  ])('is refused with a clear sentence: %j', async (content, message) => {
    await expect(csv(content)).rejects.toThrow(message);
    await expect(csv(content)).rejects.toMatchObject({ code: 'dataInvalid', problems: [{ field: 'data.source' }] });
  });

  it('that is not there, or is a folder, says so', async () => {
    await expect(readTable(join(folder, 'none.csv'), { format: 'csv' })).rejects.toThrow(/none.csv does not exist/);
    await expect(readTable(folder, { format: 'csv' })).rejects.toThrow(/is a folder/);
  });
});

describe('a Parquet file', () => {
  it('gives numbers, whole numbers, booleans, texts and times', async () => {
    const table = await parquet([
      { name: 'd', data: [1.5, NaN, null], type: 'DOUBLE' },
      { name: 'i', data: [null, 2n ** 53n - 1n, -3n], type: 'INT64' },
      { name: 'b', data: [null, true, false], type: 'BOOLEAN' },
      { name: 's', data: ['é,"', null, ' '], type: 'STRING' },
      { name: 't', data: [new Date('2024-02-29T12:00:00Z'), null, null], type: 'TIMESTAMP' },
    ]);
    expect(column(table, 'd')).toEqual({ kind: 'number', values: [1.5, NaN, NaN] });
    expect(column(table, 'i')).toEqual({ kind: 'number', values: [NaN, Number.MAX_SAFE_INTEGER, -3] });
    expect(column(table, 'b')).toEqual({ kind: 'boolean', values: [null, true, false] });
    expect(column(table, 's')).toEqual({ kind: 'text', values: ['é,"', null, null] });
    expect(column(table, 't')).toEqual({ kind: 'text', values: ['2024-02-29T12:00:00.000Z', null, null] });
  });

  it('refuses whole numbers that a float cannot hold, and nested values', async () => {
    await expect(parquet([{ name: 'a', data: [1n, 2n ** 53n], type: 'INT64' }])).rejects.toThrow(
      /9007199254740992 in column "a"/,
    );
    await expect(parquet([{ name: 'a', data: [{ x: 1 }], type: 'JSON' }])).rejects.toThrow(/column "a"/);
  });

  it('that is damaged or something else is refused as such', async () => {
    const path = join(folder, 'not.parquet');
    await writeFile(path, 'PAR1 but not really PAR1');
    await expect(readTable(path, { format: 'parquet' })).rejects.toMatchObject({ code: 'dataInvalid' });
    await writeFile(path, '');
    await expect(readTable(path, { format: 'parquet' })).rejects.toThrow(/is empty/);
    await expect(readTable(join(folder, 'none.parquet'), { format: 'parquet' })).rejects.toThrow(/does not exist/);
  });

  it('gives the same table as the CSV file of the same rows, over several row groups', async () => {
    const { csvPath, parquetPath } = await writeSecondDataset(folder, { rows: 2500 });
    const [fromCsv, fromParquet] = await Promise.all([
      readTable(csvPath, { format: 'csv' }),
      readTable(parquetPath, { format: 'parquet' }),
    ]);
    expect(fromCsv).toEqual(fromParquet);
    expect(fromCsv.columns.map((c) => c.kind).join()).toBe(
      'text,number,number,number,text,text,boolean,text,text,boolean',
    );
  });
});

const quoted = (cell: string | number | null): string =>
  cell === null ? '' : `"${String(cell).replaceAll('"', '""')}"`;
/** Whole numbers beyond 2^53 turn their column into text. */
const isUnsafe = (value: number): boolean => /^-?\d+$/.test(String(value)) && !Number.isSafeInteger(value);
