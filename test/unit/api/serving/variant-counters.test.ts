import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createVariantCounters } from '../../../../api/serving/variant-counters.ts';
import type { CountsRow } from '../../../../db/ports.ts';
import { DomainError } from '../../../../domain/errors.ts';
import type { RoutingTable } from '../../../../domain/routing.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const table = (generation = 1, rolloutId: string | null = 'r'): RoutingTable => ({
  model: 'm',
  generation,
  salt: 's',
  rolloutId,
  routes: [
    { variant: 'champion', version: 1, weightPercent: 50 },
    { variant: 'candidate', version: 2, weightPercent: 50 },
  ],
  slowMs: 50,
});

/** A store that keeps a row once per instance and sequence, as the database does. */
function countersWith(before: () => Promise<void>, after: () => Promise<void> = () => Promise.resolve()) {
  const stored = new Map<string, CountsRow>();
  const counters = createVariantCounters({
    records: {
      saveCounts: async (rows) => {
        await before();
        for (const row of rows) stored.set(`${row.instance}/${row.sequence}`, row);
        await after();
      },
    },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  return { counters, rows: () => [...stored.values()] };
}

describe('the variant counters', () => {
  it('writes one row per route and second, with the window it began in', async () => {
    const { counters, rows } = countersWith(() => Promise.resolve());
    const t = table();
    vi.setSystemTime(5_000);
    counters.count(t, t.routes[0]!, false, false, 2, 0.5);
    counters.count(t, t.routes[0]!, true, true, 3, 0.5);
    counters.count(t, t.routes[1]!, false, true, 4, 0.5);
    await vi.advanceTimersByTimeAsync(1000);
    expect(rows()).toMatchObject([
      { model: 'm', rolloutId: 'r', variant: 'champion', version: 1, requests: 2, errors: 1, slow: 1, latencySumMs: 5 },
      { variant: 'candidate', version: 2, requests: 1, errors: 0, slow: 1, latencySumMs: 4, windowStartMs: 5_000 },
    ]);
    await vi.advanceTimersByTimeAsync(5000);
    expect(rows()).toHaveLength(2);
    expect(counters.totals(t, t.routes[0]!)).toEqual({ requests: 2, errors: 1, slow: 1, latencySumMs: 5 });
  });

  it('goes on counting for a route when the table is replaced by one with the same route', () => {
    const { counters } = countersWith(() => Promise.resolve());
    const [before, after] = [table(1), table(2)];
    counters.count(before, before.routes[1]!, false, false, 1, 0.5);
    counters.count(after, after.routes[1]!, false, false, 1, 0.5);
    expect(counters.totals(after, after.routes[1]!).requests).toBe(2);
    const other = table(3, 'other rollout');
    expect(counters.totals(other, other.routes[1]!).requests).toBe(0);
  });

  it('writes every count exactly once, whatever fails and whatever is no longer routed', async () => {
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('count' as const),
        route: fc.integer({ min: 0, max: 1 }),
        of: fc.integer({ min: 0, max: 2 }),
      }),
      fc.record({ kind: fc.constant('fails' as const), fails: fc.constantFrom('no', 'before', 'after') }),
      fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 100, max: 3000 }) }),
      fc.record({ kind: fc.constant('retain' as const), of: fc.integer({ min: 0, max: 2 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        // An answer that got lost after the write is a failure too: the rows come again and must count once.
        let fails = 'no';
        const failing = (when: string) => () =>
          fails === when ? Promise.reject(new DomainError('unavailable', 'away')) : Promise.resolve();
        const { counters, rows } = countersWith(failing('before'), failing('after'));
        const tables = ['a', 'b', null].map((rollout, i) => table(i, rollout));
        let counted = 0;
        for (const s of steps) {
          if (s.kind === 'fails') fails = s.fails;
          else if (s.kind === 'time') await vi.advanceTimersByTimeAsync(s.ms);
          else if (s.kind === 'retain') counters.retain([tables[s.of]!]);
          else {
            counters.count(tables[s.of]!, tables[s.of]!.routes[s.route]!, false, false, 1, 0.5);
            counted += 1;
          }
        }
        fails = 'no';
        const closed = counters.close(1000);
        await vi.advanceTimersByTimeAsync(1000);
        await closed;
        expect(rows().reduce((sum, r) => sum + r.requests, 0)).toBe(counted);
      }),
      { numRuns: 200 },
    );
  });
});
