import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferFeatures } from '../../../../models/data/infer-features.ts';
import { inferRange } from '../../../../models/data/infer-range.ts';
import { definitionOf, labels, rows, tableOf } from './tables.ts';

const table = tableOf({
  id: rows(40, (i) => `c-${i}`),
  rowNumber: rows(40, (i) => i + 1),
  weight: rows(40, (i) => (i === 3 ? null : i / 2)),
  flag: rows(40, (i) => i % 2 === 0),
  colour: rows(40, (i) => ['red', 'äther', 'blue', null][i % 4]!),
  fixed: rows(40, () => 'same'),
  empty: rows(40, () => null),
  y: labels(40),
});

describe('inferFeatures', () => {
  it('takes types from the data and says what it decided and why', () => {
    const { features, notes } = inferFeatures(table, definitionOf());
    const policies = { missing: 'flag', unknown: 'reject', outOfRange: 'reject' };
    expect(features).toEqual([
      { name: 'weight', type: 'number', min: 0, max: 23.4, ...policies },
      { name: 'flag', type: 'boolean', ...policies },
      { name: 'colour', type: 'category', categories: ['blue', 'red', 'äther'], ...policies },
    ]);
    expect(notes).toEqual([
      'id: left out; every row has another text, as in an identifier; give it a type to use it',
      'rowNumber: left out; every row has another whole number, as in an identifier or row number; give it a type to use it',
      'weight: number, 0 to 19.5 in the data, 0 to 23.4 allowed; 1 of 40 values are blank and count as missing',
      'flag: boolean',
      'colour: category of 3 values; 10 of 40 values are blank and count as missing',
      'fixed: left out; its value never changes',
      'empty: left out; every value is blank',
    ]);
  });

  it('lets the definition decide types, ranges and policies, and leaves out what it excludes', () => {
    const { features } = inferFeatures(
      table,
      definitionOf(`
entity: id
exclude: [weight, fixed]
features:
  rowNumber: { type: number, max: 99, missing: reject }
  flag: category
  colour: { unknown: flag }
`),
    );
    expect(features).toMatchObject([
      { name: 'rowNumber', type: 'number', min: 0, max: 99, missing: 'reject' },
      { name: 'flag', type: 'category', categories: ['false', 'true'] },
      { name: 'colour', type: 'category', unknown: 'flag' },
    ]);
  });

  it('names every override the data cannot meet, with examples', () => {
    const definition = definitionOf(
      'features: { colour: number, weight: integer, rowNumber: boolean, empty: category }',
    );
    expect(() => inferFeatures(table, definition)).toThrow(
      /30 values cannot be a number, for example "red", "äther", "blue"/,
    );
    try {
      inferFeatures(table, definition);
    } catch (error) {
      expect(error).toMatchObject({
        code: 'dataInvalid',
        problems: [
          {
            field: 'features.rowNumber',
            message: '39 values cannot be a boolean (true or false, 0 or 1), for example "2", "3", "4"',
          },
          { field: 'features.weight', message: '19 values cannot be a whole number, for example "0.5", "2.5", "3.5"' },
          { field: 'features.colour' },
          { field: 'features.empty', message: 'every value is blank' },
        ],
      });
    }
  });

  it('leaves out texts with very many values, and takes them as a category when told to, within a limit', () => {
    const many = tableOf({
      town: rows(3000, (i) => `t${i % 600}`),
      word: rows(3000, (i) => `w${i % 1500}`),
      k: rows(3000, (i) => i % 7),
      y: labels(3000),
    });
    expect(inferFeatures(many, definitionOf()).notes[0]).toMatch(
      /town: left out; it has more than 100 different texts/,
    );
    expect(inferFeatures(many, definitionOf('features: { town: category }')).features[0]?.categories).toHaveLength(600);
    expect(() => inferFeatures(many, definitionOf('features: { word: category }'))).toThrow(
      /more than 1,000 different values/,
    );
  });

  it('refuses a table in which nothing is left, and names that the artefact uses itself', () => {
    const bare = tableOf({ id: rows(9, (i) => `${i}x`), y: labels(9) });
    expect(() => inferFeatures(bare, definitionOf())).toThrow(/no column is left to learn from/);
    const reserved = tableOf({ features: rows(9, (i) => i % 2), y: labels(9) });
    expect(() => inferFeatures(reserved, definitionOf())).toThrow(/"features" is a name inside the artefact/);
  });
});

describe('inferRange', () => {
  const range = (values: number[], type: 'number' | 'integer' = 'number') =>
    inferRange({ name: 'a', kind: 'number', values: Float64Array.from(values) }, type);

  it('adds a fifth of the span, whole for whole numbers', () => {
    expect(range([10, 20])).toMatchObject({ min: 8, max: 22 });
    expect(range([0, 72], 'integer')).toMatchObject({ min: 0, max: 86 });
    expect(range([0, 1], 'integer')).toMatchObject({ min: 0, max: 1 });
    expect(range([-3, 4])).toMatchObject({ min: -4.4, max: 5.4 });
  });

  it('holds every value seen and never crosses zero', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e12, max: 1e12, noNaN: true }), { minLength: 1 }), (values) => {
        const { min, max } = range(values);
        const [low, high] = [Math.min(...values), Math.max(...values)];
        expect(min).toBeLessThanOrEqual(low);
        expect(max).toBeGreaterThanOrEqual(high);
        if (low >= 0) expect(min).toBeGreaterThanOrEqual(0);
        if (high <= 0) expect(max).toBeLessThanOrEqual(0);
      }),
    );
  });
});
