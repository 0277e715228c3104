import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderBar } from '../../../cli/terminal/bar.ts';
import { formatDuration, formatNumber, formatPercent } from '../../../cli/terminal/format.ts';
import { createStyle } from '../../../cli/terminal/style.ts';
import { renderTable } from '../../../cli/terminal/table.ts';
import { cut, padEnd, visibleLength, wrap } from '../../../cli/terminal/text.ts';

const plain = createStyle({ colour: false, unicode: true });
const coloured = createStyle({ colour: true, unicode: true });

describe('style', () => {
  it('adds nothing where colours are off', () => {
    expect(plain.red(plain.bold('text'))).toBe('text');
    expect(coloured.red('text')).toBe('\u001b[31mtext\u001b[39m');
  });

  it('keeps to ASCII where the terminal shows no more', () => {
    const { signs } = createStyle({ colour: false, unicode: false });
    // eslint-disable-next-line no-control-regex -- ASCII is what is asked for
    expect(Object.values(signs).join('')).toMatch(/^[\x00-\x7f]+$/);
  });
});

describe('text', () => {
  it('counts what is seen, not the colours', () => {
    expect(visibleLength(coloured.red('größe'))).toBe(5);
    expect(padEnd(coloured.red('ab'), 4)).toBe(`${coloured.red('ab')}  `);
  });

  it('cuts to the width, colours closed', () => {
    expect(cut('abcdef', 4)).toBe('abc…');
    expect(cut('abcd', 4)).toBe('abcd');
    expect(cut(coloured.red('abcdef'), 4)).toBe('\u001b[31mabc\u001b[39m…\u001b[0m');
  });

  it('never cuts to more than the width', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 40 }),
        (text, width) => visibleLength(cut(text, width)) <= width,
      ),
    );
  });

  it('wraps between words', () => {
    expect(wrap('one two three four', 9)).toEqual(['one two', 'three', 'four']);
  });
});

describe('table', () => {
  const columns = [
    { title: 'name', shrink: true },
    { title: 'n', align: 'right' as const },
  ];

  it('puts numbers under each other', () => {
    expect(
      renderTable(
        columns,
        [
          ['a', '7'],
          ['b', '12'],
        ],
        plain,
        80,
      ),
    ).toEqual(['name   n', 'a      7', 'b     12']);
  });

  it('shrinks what may shrink, and nothing else', () => {
    expect(renderTable(columns, [['a very long name', '123456']], plain, 20)).toEqual([
      'name               n',
      'a very long…  123456',
    ]);
  });

  it('has no lines without rows', () => {
    expect(renderTable(columns, [], plain, 80)).toEqual([]);
  });
});

describe('bar', () => {
  it('is as long as asked for, whatever the share', () => {
    fc.assert(
      fc.property(
        fc.double(),
        fc.integer({ min: 1, max: 60 }),
        (share, width) => renderBar(share, width, plain).length === width,
      ),
    );
  });

  it('shows the smallest share', () => {
    expect(renderBar(0.001, 4, plain)).toBe('█░░░');
    expect(renderBar(0, 4, plain)).toBe('░░░░');
    expect(renderBar(1, 4, plain)).toBe('████');
  });
});

describe('numbers and times', () => {
  it.each([
    [0, '0.0 s'],
    [1440, '1.4 s'],
    [59_400, '59 s'],
    [125_000, '2 m 05 s'],
    [11_400_000, '3 h 10 m'],
    [187_200_000, '2 d 4 h'],
  ])('writes %d ms as %s', (ms, text) => expect(formatDuration(ms)).toBe(text));

  it.each([
    [1409, '1,409'],
    [7043211, '7,043,211'],
    [0.41, '0.41'],
    [0.00012345, '0.0001234'],
    [1234.5, '1,235'],
    [14.142, '14.14'],
  ])('writes %d as %s', (value, text) => expect(formatNumber(value)).toBe(text));

  it('writes shares without needless digits', () => {
    expect([formatPercent(10), formatPercent(12.5), formatPercent(0.1 + 0.2)]).toEqual(['10 %', '12.5 %', '0.3 %']);
  });
});
