import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureSpec } from '../../../../domain/signature.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { booleanFeature, categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const flag = { missing: 'flag', unknown: 'flag', outOfRange: 'flag' } as const;
const features = (policy: Partial<FeatureSpec> = {}): FeatureSpec[] => [
  { ...numberFeature('tenure', { min: 0, max: 72, ...policy }), type: 'integer' },
  numberFeature('charge', { min: 0, ...policy }),
  categoryFeature('plan', ['basic', 'plus'], policy),
  booleanFeature('active', policy),
];
const encoderOf = (specs: readonly FeatureSpec[]) => compileRowEncoder(tinyModel({ features: specs }).signature);
const good = { tenure: 12, charge: 20.5, plan: 'plus', active: true };

function encode(row: unknown, specs: readonly FeatureSpec[] = features()) {
  const encoder = encoderOf(specs);
  const out = new Float32Array(encoder.width);
  return { ...encoder.encode(row, out, 0), floats: [...out] };
}

describe('the row encoder', () => {
  it('writes numbers, codes and booleans where they belong and touches nothing beside them', () => {
    const encoder = encoderOf(features());
    const out = new Float32Array(8).fill(9);
    expect(encoder.encode(good, out, 2)).toEqual({ problems: [], warnings: [] });
    expect([...out]).toEqual([9, 9, 12, 20.5, 1, 1, 9, 9]);
  });

  it('allocates no result for a good row: the same empty one every time', () => {
    const encoder = encoderOf(features());
    const out = new Float32Array(4);
    expect(encoder.encode(good, out, 0)).toBe(encoder.encode({ ...good, active: false }, out, 0));
  });

  it('reports everything that is wrong at once', () => {
    const { problems } = encode({ tenure: '12', charge: true, plan: 3, active: 'yes', Tenure: 1 });
    expect(problems.map((p) => p.field)).toEqual([
      'features.tenure',
      'features.charge',
      'features.plan',
      'features.active',
      'features.Tenure',
    ]);
    expect(problems[0]).toEqual({
      field: 'features.tenure',
      message: 'expected a whole JSON number from 0 to 72, got the string "12"',
      allowed: ['from 0 to 72'],
    });
    expect(problems[2]?.allowed).toEqual(['basic', 'plus']);
    expect(problems[3]?.message).toBe('expected true or false, got the string "yes"');
  });

  it.each([
    ['a fraction for an integer', { tenure: 1.5 }],
    ['an array', { charge: [1] }],
    ['an object', { plan: { a: 1 } }],
    ['1 for a boolean', { active: 1 }],
    ['NaN', { charge: NaN }],
    ['infinity', { charge: Infinity }],
    ['a number beyond 32-bit floats', { charge: 1e39 }],
    ['a bigint', { tenure: 3n }],
  ])('refuses %s whatever the policies say', (_, change) => {
    const { problems } = encode({ ...good, ...change }, features(flag));
    expect(problems).toHaveLength(1);
  });

  it.each([
    ['null', null],
    ['an absent value', undefined],
    ['an empty string', ''],
    ['a blank string', '  '],
  ])('takes %s as missing: refused or flagged by the policy', (_, value) => {
    const row = { tenure: value, charge: value, plan: value, active: value };
    const refused = encode(row);
    expect(refused.problems).toHaveLength(4);
    expect(refused.problems[2]?.message).toMatch(/^is missing; expected a string/);
    const flagged = encode(row, features(flag));
    expect(flagged.problems).toEqual([]);
    expect(flagged.warnings).toHaveLength(4);
    expect(flagged.floats).toEqual([NaN, NaN, -2, NaN]);
  });

  it('handles an unknown category and a number out of range by their policies', () => {
    const row = { ...good, tenure: 73, plan: 'gold' };
    expect(encode(row).problems).toEqual([
      { field: 'features.tenure', message: '73 is outside the allowed range', allowed: ['from 0 to 72'] },
      {
        field: 'features.plan',
        message: 'the string "gold" is not a value the model knows',
        allowed: ['basic', 'plus'],
      },
    ]);
    const flagged = encode(row, features(flag));
    expect(flagged.warnings.map((w) => w.field)).toEqual(['features.tenure', 'features.plan']);
    expect(flagged.floats).toEqual([73, 20.5, -1, 1]);
  });

  it('caps the list of allowed values', () => {
    const many = Array.from({ length: 500 }, (_, i) => `c${i}`);
    const { problems } = encode({ city: 'x' }, [categoryFeature('city', many)]);
    expect(problems[0]?.allowed).toHaveLength(21);
    expect(problems[0]?.allowed?.at(-1)).toBe('and 480 more');
  });

  it('names the nearest feature for a name that is none, and counts the rest of a flood', () => {
    const { problems } = encode({ ...good, charges: 1, Plan: 'x', zzz: 1 });
    expect(problems[0]?.allowed).toEqual(['charge']);
    expect(problems[1]?.allowed).toEqual(['plan']);
    expect(problems[2]?.allowed).toEqual(['tenure', 'charge', 'plan', 'active']);
    const flood = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`n${i}`, i]));
    const flooded = encode({ ...good, ...flood });
    expect(flooded.problems).toHaveLength(11);
    expect(flooded.problems.at(-1)?.message).toBe('990 more names are no features of this model');
  });

  it('says where the entity id goes and that the target is not sent', () => {
    const { problems } = encode({ ...good, id: 'c-1', target: 'yes' });
    expect(problems.map((p) => p.message)).toEqual([
      'identifies the entity: send it as entity_id beside features',
      'is what the model predicts: leave it out',
    ]);
  });

  it.each([[null], [undefined], ['text'], [3], [[1, 2]]])('refuses %j in place of the features', (value) => {
    expect(encode(value).problems.map((p) => p.field)).toEqual(['features']);
  });

  it('is not fooled by prototypes', () => {
    const specs = [numberFeature('constructor'), numberFeature('__proto__'), numberFeature('x')];
    expect(encode({}, specs).problems.map((p) => p.message.slice(0, 10))).toEqual(Array(3).fill('is missing'));
    const own = JSON.parse('{"constructor": 1, "__proto__": 2, "x": 3}') as unknown;
    expect(encode(own, specs)).toMatchObject({ problems: [], floats: [1, 2, 3] });
    const inherited = Object.create({ x: 3, other: 1 }) as unknown;
    expect(encode(inherited, [numberFeature('x')]).problems.map((p) => p.message.slice(0, 10))).toEqual(['is missing']);
    expect(encode(JSON.parse('{"x": 1, "__proto__": {"y": 2}}'), [numberFeature('x')]).problems).toHaveLength(1);
  });

  it('never throws, and refuses every row that is not exactly of the signature', () => {
    const encoder = encoderOf(features());
    const out = new Float32Array(encoder.width);
    const value = fc.oneof(fc.anything(), fc.constantFrom(12, 20.5, 'plus', true));
    const anyRow = fc.oneof(
      fc.anything(),
      fc.record({ tenure: value, charge: value, plan: value, active: value }, { requiredKeys: [] }),
    );
    fc.assert(
      fc.property(anyRow, (row) => {
        const { problems } = encoder.encode(row, out, 0);
        const r = row as Record<string, unknown>;
        const fits =
          typeof row === 'object' &&
          row !== null &&
          Object.keys(row).every((k) => k in good) &&
          Number.isInteger(r['tenure']) &&
          Number(r['tenure']) >= 0 &&
          Number(r['tenure']) <= 72 &&
          typeof r['charge'] === 'number' &&
          r['charge'] >= 0 &&
          Number.isFinite(Math.fround(r['charge'])) &&
          (r['plan'] === 'basic' || r['plan'] === 'plus') &&
          typeof r['active'] === 'boolean';
        expect(problems.length === 0).toBe(fits);
      }),
      { numRuns: 2000 },
    );
  });
});
