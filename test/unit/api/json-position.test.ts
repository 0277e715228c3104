import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonFault } from '../../../api/json-position.ts';

const parses = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

describe('finding the fault in a text that is not JSON', () => {
  it.each([
    ['{"a": }', 1, 7, 'a value'],
    ['{"a": 1,}', 1, 9, 'a field name in double quotes'],
    ["{'a': 1}", 1, 2, 'a field name in double quotes'],
    ['{"a" 1}', 1, 6, "':' after the field name"],
    ['{"a": 1', 1, 8, "',' or '}'"],
    ['[1 2]', 1, 4, "',' or ']'"],
    ['{\n  "a": nope\n}', 2, 8, 'a value'],
    ['', 1, 1, 'a value'],
    ['{} {}', 1, 4, 'the end of the body'],
  ])('%j: line %i, column %i, %s', (text, line, column, expected) => {
    expect(findJsonFault(text)).toEqual({ line, column, expected });
  });

  it('agrees with JSON.parse on every text', () => {
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '{', ']', '\\', '\u0001', 'e', '.', '-', '0', ' '))
      .map(([json, at, piece]) => {
        const cut = at % (json.length + 1);
        return json.slice(0, cut) + piece + json.slice(cut + 1);
      });
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken, fc.string()), (text) => {
        expect(findJsonFault(text) === null).toBe(parses(text));
      }),
      { numRuns: 3_000 },
    );
  });

  it('takes a body that nests as deeply as it is long', () => {
    expect(findJsonFault('['.repeat(1_000_000))).toMatchObject({ column: 1_000_001 });
    expect(findJsonFault(`"${'x'.repeat(5_000_000)}`)).toMatchObject({ column: 5_000_002 });
  });
});
