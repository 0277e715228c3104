import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignRoute, bucketOf, BUCKETS, murmur3 } from '../../../domain/assignment.ts';
import type { Route, RoutingTable } from '../../../domain/routing.ts';

const champion = (weightPercent: number): Route => ({ variant: 'champion', version: 1, weightPercent });
const candidate = (weightPercent: number): Route => ({ variant: 'candidate', version: 2, weightPercent });

function table(
  weight: number,
  salt = 'salt',
  order: 'championFirst' | 'candidateFirst' = 'championFirst',
): RoutingTable {
  const routes = [champion(100 - weight), candidate(weight)];
  if (order === 'candidateFirst') routes.reverse();
  return { model: 'm', generation: 1, salt, rolloutId: null, routes, slowMs: 50 };
}

const variantOf = (t: RoutingTable, key: string) => assignRoute(t, key).variant;
/** A weight in steps of 0.01 %. */
const weight = fc.integer({ min: 0, max: BUCKETS }).map((n) => n / 100);
const text = fc.string({ unit: 'binary' });

describe('murmur3', () => {
  it('gives the values of the reference implementation', () => {
    // SMHasher's MurmurHash3_x86_32; the non-ASCII ones over their UTF-8 bytes.
    expect(murmur3('')).toBe(0);
    expect(murmur3('', 1)).toBe(0x514e28b7);
    expect(murmur3('', 0xffffffff)).toBe(0x81f16f39);
    expect(murmur3('aaaa', 0x9747b28c)).toBe(0x5a97808a);
    expect(murmur3('aaa', 0x9747b28c)).toBe(0x283e0130);
    expect(murmur3('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
    expect(murmur3('ππππππππ', 0x9747b28c)).toBe(0xd58063c1);
    expect(murmur3('The quick brown fox jumps over the lazy dog', 0x9747b28c)).toBe(0x2fa826cd);
  });

  it('reads text as the platform writes UTF-8, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }), (units) => {
        const anything = String.fromCharCode(...units);
        const throughBytes = new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(anything));
        expect(murmur3(anything)).toBe(murmur3(throughBytes));
      }),
    );
  });
});

describe('assignRoute', () => {
  it('is sticky: the same table and key give the same route, whatever the order of the routes', () => {
    fc.assert(
      fc.property(text, text, weight, (key, salt, w) => {
        expect(assignRoute(table(w, salt), key)).toEqual(assignRoute(table(w, salt, 'candidateFirst'), key));
      }),
    );
  });

  it('keeps a key on the candidate while the weight grows', () => {
    fc.assert(
      fc.property(text, text, weight, weight, (key, salt, a, b) => {
        const [less, more] = a <= b ? [a, b] : [b, a];
        if (variantOf(table(less, salt), key) === 'candidate') {
          expect(variantOf(table(more, salt), key)).toBe('candidate');
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('sends nobody to a weight of 0 and everybody to a weight of 100', () => {
    fc.assert(
      fc.property(text, text, (key, salt) => {
        expect(variantOf(table(0, salt), key)).toBe('champion');
        expect(variantOf(table(100, salt), key)).toBe('candidate');
      }),
    );
  });

  it('gives each side its share of the keys', () => {
    const keys = 50_000;
    for (const w of [0.5, 5, 33.33, 50, 90]) {
      let hits = 0;
      for (let i = 0; i < keys; i += 1) if (variantOf(table(w), `customer-${i}`) === 'candidate') hits += 1;
      const p = w / 100;
      // Five standard deviations of a binomial share.
      expect(Math.abs(hits / keys - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / keys));
    }
  });

  it('fills its buckets evenly', () => {
    const cells = 100;
    const perCell = 500;
    const seen = new Array<number>(cells).fill(0);
    for (let i = 0; i < cells * perCell; i += 1) {
      const cell = Math.floor(bucketOf('even', String(i)) / (BUCKETS / cells));
      seen[cell] = (seen[cell] ?? 0) + 1;
    }
    const chiSquare = seen.reduce((sum, n) => sum + (n - perCell) ** 2 / perCell, 0);
    // 99 degrees of freedom: 0.9999 quantile of chi-square.
    expect(chiSquare).toBeLessThan(161.3);
  });

  it('reshuffles with a new salt: the two assignments are independent', () => {
    const keys = 20_000;
    let both = 0;
    for (let i = 0; i < keys; i += 1) {
      const key = `customer-${i}`;
      if (variantOf(table(50, 'a'), key) === 'candidate' && variantOf(table(50, 'b'), key) === 'candidate') both += 1;
    }
    expect(Math.abs(both / keys - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / keys));
  });

  it('does not mistake a part of the salt for a part of the key', () => {
    expect(bucketOf('ab', 'c')).not.toBe(bucketOf('a', 'bc'));
  });

  it('answers a single route without looking at the key, and refuses a table without routes', () => {
    const single = { ...table(0), routes: [champion(100)] };
    expect(assignRoute(single, 'any')).toEqual(champion(100));
    expect(() => assignRoute({ ...single, routes: [] }, 'any')).toThrow(/No version of m is routed/);
  });
});
