import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildDataSet } from '../../../../models/data/build-dataset.ts';
import { checkData } from '../../../../models/data/check-data.ts';
import { readTable } from '../../../../models/data/read-table.ts';
import { loadDefinition } from '../../../../models/definition/load.ts';

describe("the shipped example's data", async () => {
  const definition = await loadDefinition(
    fileURLToPath(new URL('../../../../examples/churn/model.yaml', import.meta.url)),
  );
  const table = await readTable(definition.data.source, definition.data);

  it('is sound, blanks and all', () => {
    const report = checkData(table, definition);
    expect(report).toMatchObject({ rows: 7043, columns: 21, positives: 1869, ok: true });
    expect(report.findings.map((f) => `${f.severity} ${f.check} ${f.column ?? ''}`.trim())).toEqual([
      'info balance Churn',
      'info missing TotalCharges',
      'info duplicates',
    ]);
  });

  it('makes a data set of 19 features, a fifth of it held out', () => {
    const { dataSet, notes } = buildDataSet(table, definition);
    expect([dataSet.rows, dataSet.features.length, dataSet.matrix.length]).toEqual([7043, 19, 7043 * 19]);
    expect(notes).toContain(
      'TotalCharges: number, 18.8 to 8684.8 in the data, 0 to 10384.8 allowed; 11 of 7,043 values are blank and count as missing',
    );
    expect(dataSet.features.find((f) => f.name === 'tenure')).toMatchObject({ type: 'integer', min: 0, max: 120 });
    const held = dataSet.heldOut.reduce((sum, bit) => sum + bit, 0);
    expect(held / dataSet.rows).toBeCloseTo(0.2, 1);
  });
});
