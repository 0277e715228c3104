import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../../models/definition/duration.ts';

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['45s', 45_000],
    ['30m', 1_800_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '5', '2 h', '2hours', '-1s', '1h30m', '1e3s', 'h', '366d', '.5h'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull();
  });

  it('reads back every duration it formats', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 31_536_000_000 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it('formats with the largest unit that fits', () => {
    expect([90_000, 3_600_000, 86_400_000, 1500].map(formatDuration)).toEqual(['90s', '1h', '1d', '1500ms']);
  });
});
