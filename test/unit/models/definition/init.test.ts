import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataSet } from '../../../../models/data/build-dataset.ts';
import { checkData } from '../../../../models/data/check-data.ts';
import { readTable } from '../../../../models/data/read-table.ts';
import { draftDefinition } from '../../../../models/definition/init.ts';
import { loadDefinition, parseDefinitionText } from '../../../../models/definition/load.ts';
import { writeSecondDataset } from '../../../fixtures-generators/second-dataset.ts';

let folder: string;
let paths: { csvPath: string; parquetPath: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-draft-'));
  paths = await writeSecondDataset(folder, { rows: 1500 });
});
afterAll(() => rm(folder, { recursive: true }));

async function csv(name: string, lines: readonly string[]): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, lines.join('\n'));
  return path;
}
const hundred = (line: (i: number) => string): string[] => Array.from({ length: 100 }, (_, i) => line(i));

describe('a draft', () => {
  it('of any data loads and can be trained on without edits', async () => {
    for (const path of [paths.csvPath, paths.parquetPath]) {
      const yamlPath = join(folder, 'model.yaml');
      await writeFile(yamlPath, await draftDefinition(path, { target: 'failed', outputPath: yamlPath }));
      const definition = await loadDefinition(yamlPath);
      expect(definition).toMatchObject({
        name: 'machines',
        data: { source: path },
        entity: 'machine id',
        target: { column: 'failed', positive: 'true' },
        exclude: ['last service', 'plant'],
      });
      const table = await readTable(definition.data.source, definition.data);
      expect(checkData(table, definition).findings.filter((f) => f.severity === 'error')).toEqual([]);
      const { dataSet } = buildDataSet(table, definition);
      expect(dataSet.features.map((f) => `${f.name}: ${f.type}`)).toEqual([
        'air temp [K]: number',
        'rpm: integer',
        'torque Nm: number',
        'site: category',
        'grade: category',
        'has coolant: boolean',
      ]);
    }
  });

  it('says what was inferred and why, in comments that can become lines', async () => {
    const text = await draftDefinition(paths.csvPath, { target: 'failed', schemaPath: join(folder, 's.json') });
    expect(text).toMatch(/^# yaml-language-server: \$schema=s.json\n/);
    expect(text).toMatch(/exclude:\n {2}- last service # it has more than 100 different texts/);
    expect(text).toContain('  - plant # its value never changes');
    expect(text).toMatch(/the values are "true" and "false"|the values are "false" and "true"/);
    const uncommented = text.replace(/^ {2}# (?=.*\{ type: )/gm, '  ');
    const { features } = parseDefinitionText(uncommented, join(folder, 'model.yaml'));
    expect(features['has coolant']).toEqual({ type: 'boolean' });
    expect(features['air temp [K]']).toMatchObject({ type: 'number' });
    expect(Object.keys(features)).toHaveLength(6);
  });

  it('takes the rarer value for the positive one when no value reads like a yes, or the one asked for', async () => {
    const path = await csv('My Pumps (2).csv', [
      'size,state',
      ...hundred((i) => `${i % 7},${i % 5 === 0 ? 'leaks' : 'dry'}`),
    ]);
    const draft = async (options: object) =>
      parseDefinitionText(await draftDefinition(path, { target: 'state', ...options }), join(folder, 'model.yaml'));
    expect(await draft({})).toMatchObject({ name: 'my-pumps-2', entity: null, target: { positive: 'leaks' } });
    expect(await draft({ positive: 'dry', name: 'pumps' })).toMatchObject({
      name: 'pumps',
      target: { positive: 'dry' },
    });
    await expect(draft({ name: 'Not A Name' })).rejects.toThrow(/name: expected 1 to 63 characters/);
  });

  it('excludes columns that give the target away, with the reason, and guesses protected ones', async () => {
    const path = await csv('leak.csv', [
      'gender,n,closed_on,y',
      ...hundred(
        (i) => `${i % 2 ? 'f' : 'm'},${(i * 37) % 100},${i % 4 ? '' : `2024-01-0${1 + (i % 8)}`},${i % 4 ? 0 : 1}`,
      ),
    ]);
    const text = await draftDefinition(path, { target: 'y' });
    expect(text).toContain('  - closed_on # it tells the target without exception');
    expect(parseDefinitionText(text, path)).toMatchObject({ target: { positive: '1' }, protected: ['gender'] });
  });

  it('finds the delimiter of a CSV, and quotes what YAML would take for something else', async () => {
    const path = await csv('semi.csv', [
      'no;a: b;on',
      ...hundred((i) => `${i % 3};${i % 2 ? '# x' : "it's"};${i % 4 ? 'n' : 'y'}`),
    ]);
    const definition = parseDefinitionText(await draftDefinition(path, { target: 'on' }), join(folder, 'model.yaml'));
    expect(definition.data.delimiter).toBe(';');
    expect(definition.target).toEqual({ column: 'on', positive: 'y' });
  });

  it('refuses a target that is not there or has not two values, and an unknown ending', async () => {
    await expect(draftDefinition(paths.csvPath, { target: 'faild' })).rejects.toThrow(/did you mean "failed"/);
    await expect(draftDefinition(paths.csvPath, { target: 'site' })).rejects.toThrow(/exactly two values, found 4/);
    await expect(draftDefinition(paths.csvPath, { target: 'failed', entity: 'x' })).rejects.toThrow(/no column "x"/);
    await expect(draftDefinition(await csv('a.xlsx', ['a']), { target: 'a' })).rejects.toThrow(/must end in/);
  });
});
