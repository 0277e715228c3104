import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeatureSpec } from '../../../../domain/signature.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { compileRowScanner } from '../../../../models/serving/row-scanner.ts';
import { categoryFeature, numberFeature, tinyModel } from '../../../support/tiny-model.ts';

const features: readonly FeatureSpec[] = [
  numberFeature('age', { min: 0, max: 120 }),
  { ...categoryFeature('plan', ['a', 'b c', 'back\\slash', 'qu"ote', 'é', '']), encoding: 'oneHot' },
  categoryFeature('city', ['x', 'y', 'a']),
  { ...numberFeature('years'), type: 'integer' },
  { ...numberFeature('active'), type: 'boolean' },
  numberFeature('constructor'),
];
const signature = { ...tinyModel().signature, features };
const encoder = compileRowEncoder(signature);
const scanner = compileRowScanner(signature)!;

function scan(text: string) {
  const out = new Float32Array(encoder.width + 2).fill(9);
  return { end: scanner.scan(text, 0, out, 1), floats: [...out] };
}

function encode(text: string) {
  const out = new Float32Array(encoder.width + 2).fill(9);
  const { problems, warnings } = encoder.encode(JSON.parse(text), out, 1);
  return { isClean: problems.length === 0 && warnings.length === 0, floats: [...out] };
}

const usual = { age: 41.25, plan: 'b c', city: 'y', years: 3, active: true, constructor: -0.5 };

describe('the row scanner', () => {
  it('reads a usual row as the parser and the encoder do, in any order of its features', () => {
    for (const row of [usual, Object.fromEntries(Object.entries(usual).reverse())]) {
      for (const text of [JSON.stringify(row), JSON.stringify(row).replaceAll(/([:,])/g, '$1 ')]) {
        expect(scan(text)).toEqual({ end: text.length, floats: encode(text).floats });
      }
    }
  });

  it.each([
    ['a feature twice', '"age":1,"age":1,'],
    ['an unknown category', '"city":"z",'],
    ['a category behind an escape', '"city":"\\u0078",'],
    ['a category that JSON escapes', '"plan":"back\\\\slash",'],
    ['such a category as it would stand without', '"plan":"back\\slash",'],
    ['a blank', '"plan":"",'],
    ['a number as text', '"age":"1",'],
    ['a null', '"age":null,'],
    ['a list', '"age":[1],'],
    ['more than the range holds', '"age":121,'],
    ['a part of a whole number', '"years":1.5,'],
    ['an exponent', '"constructor":1e3,'],
    ['more digits than are exact', '"constructor":0.12345678901234567,'],
    ['a zero in front', '"constructor":01,'],
    ['a minus before zero', '"constructor":-0,'],
    ['no digit behind the point', '"constructor":1.,'],
    ['no digit before the point', '"constructor":.5,'],
    ['a plus', '"constructor":+1,'],
    ['two points', '"constructor":1.5.5,'],
    ['a word', '"active":trues,'],
    ['a tab', '"age":\t1,'],
    ['two spaces', '"age":  1,'],
    ['a space before the colon', '"age" :1,'],
  ])('leaves %s to the parser', (_, part) => {
    const name = /"(\w+)"/.exec(part)?.[1];
    const rest = Object.fromEntries(Object.entries(usual).filter(([key]) => key !== name));
    expect(scan(`{${part}${JSON.stringify(rest).slice(1)}`).end).toBe(-1);
  });

  it.each(['', '{', '{}', '[]', '{"age"', '{"age":1', `${JSON.stringify(usual).slice(0, -1)},"more":1}`])(
    'leaves %j to the parser',
    (text) => {
      expect(scan(text).end).toBe(-1);
    },
  );

  it('never reads a row in another way than the parser and the encoder', () => {
    const value = fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('1', '0.5', '42', '"a"', '"x"', '"b c"', 'true', 'false') },
      fc.double({ noNaN: true }).map((x) => JSON.stringify(x)),
      fc.json({ maxDepth: 1 }),
    );
    const names = features.map((f) => f.name);
    const pairs = fc.tuple(...names.map((name) => value.map((v) => `${JSON.stringify(name)}:${v}`)));
    const row = pairs
      .chain((all) => fc.shuffledSubarray(all, { minLength: names.length }))
      .map((all) => `{${all.join()}}`);
    fc.assert(
      fc.property(row, fc.boolean(), (text, isCut) => {
        const given = isCut ? text.slice(0, -2) : text;
        const scanned = scan(given);
        if (scanned.end === -1) return;
        expect(scanned.end).toBe(given.length);
        expect(encode(given)).toEqual({ isClean: true, floats: scanned.floats });
      }),
      { numRuns: 500 },
    );
  });

  it('reads every decimal that it takes as the parser does', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 999_999_999 }), fc.integer({ min: 0, max: 999_999 }), (a, b) => {
        const text = JSON.stringify({ ...usual, constructor: 0 }).replace('"constructor":0', `"constructor":${a}.${b}`);
        expect(scan(text)).toEqual({ end: text.length, floats: encode(text).floats });
      }),
    );
  });
});
