import { describe, expect, it } from 'vitest';
import type { DataFinding } from '../../../../domain/evaluation.ts';
import type { FeatureValue } from '../../../../domain/signature.ts';
import { checkData } from '../../../../models/data/check-data.ts';
import { definitionOf, labels, rows, tableOf } from './tables.ts';

const COUNT = 1200;
const y = labels(COUNT);
/** Spread without any tie to the target. */
const noise = (row: number, of: number): number => Math.floor(((row * 0.6180339887) % 1) * of);
const sound = {
  a: rows(COUNT, (i) => noise(i, 1_000_000)),
  k: rows(COUNT, (i) => `k${noise(i, 4)}`),
  y,
};

const report = (columns: Readonly<Record<string, readonly FeatureValue[]>>, lines = '', target?: string) =>
  checkData(tableOf({ ...sound, ...columns }), definitionOf(lines, target));
const find = (findings: readonly DataFinding[], check: DataFinding['check'], column: string | null) =>
  findings.filter((f) => f.check === check && f.column === column);

describe('checkData', () => {
  it('finds nothing wrong with sound data, and counts it', () => {
    expect(report({})).toEqual({
      rows: COUNT,
      columns: 3,
      positives: 400,
      ok: true,
      findings: [
        {
          check: 'balance',
          severity: 'info',
          column: 'y',
          message: '400 of 1,200 rows (33.3 %) are "yes"',
          evidence: { rows: 1200, positives: 400, negatives: 800, positiveShare: 1 / 3 },
        },
      ],
    });
  });

  it('names columns the definition speaks of and the data does not have', () => {
    const { ok, findings } = report({}, 'entity: idd\nexclude: [K]\nprotected: [sex]\nfeatures: { aa: number }');
    expect(ok).toBe(false);
    expect(findings.filter((f) => f.severity === 'error').map((f) => f.message)).toEqual([
      'entity: the data has no column "idd"',
      'features.aa: the data has no column "aa", did you mean "a"?',
      'exclude[0]: the data has no column "K", did you mean "k"?',
      'protected[0]: the data has no column "sex"',
    ]);
  });

  it.each([
    ['{ column: yy, positive: yes }', 'schema', /target.column: the data has no column "yy", did you mean "y"/],
    ['{ column: y, positive: ja }', 'balance', /"ja" never occurs in "y", found: "no", "yes"/],
    ['{ column: k, positive: k1 }', 'balance', /exactly two values, found 4: "k0", "k1", "k2", "k3"/],
    ['{ column: a, positive: 1 }', 'balance', /exactly two values, found more than 10/],
  ])('refuses the target %s and goes on with the rest', (target, check, message) => {
    const { ok, findings, positives } = report({ c: rows(COUNT, () => 'x') }, '', target);
    expect([ok, positives]).toEqual([false, 0]);
    expect(findings[0]).toMatchObject({ check, severity: 'error', message: expect.stringMatching(message) });
    expect(find(findings, 'constant', 'c')).toHaveLength(1);
  });

  it('tells a column that gives the target away from one that is merely good', () => {
    const { ok, findings } = report({
      copy: y.map((v) => (v === 'yes' ? 'Y' : 'N')),
      reason: rows(COUNT, (i) => (i % 3 === 0 ? `r${noise(i, 5)}` : null)),
      score: rows(COUNT, (i) => (i % 3 === 0 ? 10 : 0) + noise(i, 9)),
      nearly: rows(COUNT, (i) => (i % 3 === 0 || i === 100 ? 10 : 0) + noise(i, 9) / 10),
      good: rows(COUNT, (i) => (i % 3 === 0 ? 5 : 0) + noise(i, 20)),
    });
    expect(ok).toBe(false);
    const leaks = findings.filter((f) => f.check === 'leakage');
    expect(leaks.map((f) => [f.column, f.severity, f.evidence['exact']])).toEqual([
      ['copy', 'error', true],
      ['reason', 'error', true],
      ['score', 'error', true],
      ['nearly', 'warning', false],
    ]);
    expect(Number(leaks[3]?.evidence['auc'])).toBeCloseTo(1 - 400 / (400 * 800) + 0, 2);
  });

  it('believes a person who describes such a column', () => {
    const { ok, findings } = report({ copy: y }, 'features: { copy: category }');
    expect(ok).toBe(true);
    expect(find(findings, 'leakage', 'copy')).toMatchObject([{ severity: 'warning' }]);
  });

  it('ranks numbers as scikit-learn does, ties and blanks included', () => {
    // sklearn.metrics.roc_auc_score([1,0,1,0,0,1,0,1]*150, [.9,.1,.8,.8,.3,.7,.2,.6]*150) = 0.90625; made near by the rows beside.
    const truth = rows(COUNT, (i) => ([1, 0, 1, 0, 0, 1, 0, 1][i % 8] === 1 ? 'yes' : 'no'));
    const scores = rows(COUNT, (i) =>
      i === 3 ? 0.8 : [0.9, 0.1, 0.8, i % 16 === 3 && i < 20 ? 0.8 : 0.3, 0.3, 0.7, 0.2, 0.6][i % 8]!,
    );
    const { findings } = checkData(tableOf({ scores, k: sound.k, y: truth }), definitionOf());
    // Two negatives of 600 score 0.8: each loses against 300 of 600 positives (0.7, 0.6) and ties with 150.
    expect(find(findings, 'leakage', 'scores')[0]?.evidence['auc']).toBeCloseTo(1 - (2 * (300 + 75)) / (600 * 600), 10);
  });

  it('counts missing values, warns when they are most, and leaves out what is blank', () => {
    const { findings, ok } = report({
      few: rows(COUNT, (i) => (i % 100 === 0 ? null : noise(i, 9))),
      most: rows(COUNT, (i) => (i % 4 === 0 ? noise(i, 9) : null)),
      none: rows(COUNT, () => null),
    });
    expect(ok).toBe(true);
    expect(find(findings, 'missing', 'few')).toMatchObject([
      { severity: 'info', evidence: { missing: 12, share: 0.01 } },
    ]);
    expect(find(findings, 'missing', 'most')).toMatchObject([{ severity: 'warning', evidence: { missing: 900 } }]);
    expect(find(findings, 'schema', 'none')[0]?.message).toMatch(/left out; every value is blank/);
  });

  it('sees texts among numbers, constants, far-out values and values beyond the range of the definition', () => {
    const { findings } = report(
      {
        mixed: rows(COUNT, (i) => (i % 50 === 0 ? 'n/a' : String(noise(i, 9)))),
        fixed: rows(COUNT, () => 4),
        wild: rows(COUNT, (i) => (i === 5 ? 1e9 : noise(i, 100))),
      },
      'features: { wild: { max: 90 } }',
    );
    expect(find(findings, 'type', 'mixed')).toMatchObject([
      { severity: 'warning', message: expect.stringContaining('"n/a"') },
    ]);
    expect(find(findings, 'constant', 'fixed')).toMatchObject([{ severity: 'warning', evidence: { value: '4' } }]);
    expect(find(findings, 'range', 'wild')).toMatchObject([
      { severity: 'warning', evidence: { max: 1e9 } },
      { severity: 'info', evidence: { farOut: 1, max: 1e9 } },
    ]);
  });

  it('refuses types that the data cannot have, and infinite numbers', () => {
    const { findings, ok } = report(
      { inf: rows(COUNT, (i) => (i === 5 ? Infinity : i / 7)) },
      'features: { k: number }',
    );
    expect(ok).toBe(false);
    expect(find(findings, 'type', 'k')[0]).toMatchObject({ severity: 'error' });
    expect(find(findings, 'type', 'inf')[0]?.message).toMatch(/1 value cannot be a number, for example "Infinity"/);
  });

  it('counts repeated rows and entities', () => {
    const id = rows(COUNT, (i) => (i === 9 || i === 10 ? null : `e${i < 20 ? 0 : i}`));
    const { findings } = report({ id }, 'entity: id');
    expect(find(findings, 'duplicates', 'id')).toMatchObject([{ evidence: { repeats: 17 } }]);
    expect(find(findings, 'missing', 'id')).toMatchObject([{ evidence: { missing: 2 } }]);
    const twice = Object.fromEntries(
      Object.entries(sound).map(([name, values]) => [name, [...values, ...values.slice(0, 30)]]),
    );
    expect(find(checkData(tableOf(twice), definitionOf()).findings, 'duplicates', null)).toMatchObject([
      { severity: 'warning', evidence: { repeats: 30 } },
    ]);
  });

  it('does not take different rows for copies', () => {
    const shifted = tableOf({ a: ['ab', 'a', 'ab', ''], b: ['c', 'bc', 'c', 'abc'], y: ['yes', 'yes', 'no', 'yes'] });
    expect(find(checkData(shifted, definitionOf()).findings, 'duplicates', null)).toEqual([]);
    const many = 200_000;
    const table = tableOf({
      a: rows(many, (i) => i % 500),
      b: rows(many, (i) => `${Math.floor(i / 500)}`),
      y: rows(many, () => 'yes'),
    });
    expect(find(checkData(table, definitionOf()).findings, 'duplicates', null)).toEqual([]);
  });

  it('refuses too few rows, and too few of a class; warns of few, and of a rare one', () => {
    const severities = (count: number, every: number) =>
      checkData(
        tableOf({ a: rows(count, (i) => noise(i, 50)), y: rows(count, (i) => (i % every === 0 ? 'yes' : 'no')) }),
        definitionOf(),
      )
        .findings.filter((f) => f.check === 'size' || f.check === 'balance')
        .map((f) => `${f.check} ${f.severity} ${f.column ?? ''}`.trim());
    expect(severities(60, 2)).toEqual(['size error', 'balance info y']);
    expect(severities(900, 3)).toEqual(['size warning', 'balance info y']);
    expect(severities(1200, 100)).toEqual(['size error y', 'balance warning y']);
  });

  it('stays small for wide tables', () => {
    const wide = Object.fromEntries(rows(1500, (i) => [`c${i}`, rows(COUNT, () => null)]));
    const { findings } = report(wide);
    expect(findings.length).toBe(501);
    expect(findings.at(-1)?.message).toMatch(/lesser findings are not listed/);
  });
});
