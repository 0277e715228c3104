import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createStringTable } from '../../../../models/serving/string-table.ts';

describe('the table of strings', () => {
  it('gives every string back, also after many others', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 200 }), (texts) => {
        const table = createStringTable(1_000);
        const numbers = texts.map((text) => table.numberOf(text));
        expect(numbers.map((number) => table.textOf(number))).toEqual(texts);
        expect(numbers.every((number) => Math.fround(number) === number)).toBe(true);
      }),
    );
  });

  it('never mistakes one string for another: what it gave up it refuses', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 1, maxLength: 300 }), (ids) => {
        const table = createStringTable(16);
        const waiting: [string, number][] = [];
        for (const id of ids) {
          waiting.push([`text ${id}`, table.numberOf(`text ${id}`)]);
          for (const [text, number] of waiting) {
            try {
              expect(table.textOf(number)).toBe(text);
            } catch (error) {
              expect(error).toMatchObject({ code: 'unavailable' });
            }
          }
        }
      }),
    );
  });

  it('keeps a number valid while half of its room is taken by others', () => {
    const table = createStringTable(16);
    for (let i = 0; i < 7; i += 1) table.numberOf(`before ${i}`);
    const number = table.numberOf('mine');
    for (let i = 0; i < 7; i += 1) table.numberOf(`other ${i}`);
    // Half of the room is gone: it is given out anew, and lasts as long once more.
    const again = table.numberOf('mine');
    for (let i = 0; i < 8; i += 1) table.numberOf(`more ${i}`);
    expect(table.textOf(again)).toBe('mine');
    expect(again).not.toBe(number);
  });

  it('refuses a number it never gave', () => {
    expect(() => createStringTable().textOf(0)).toThrow('Too many different strings');
  });
});
