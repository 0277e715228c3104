import { randomUUID } from 'node:crypto';
import type { CountsRow, RecordStore } from '../../db/ports.ts';
import type { VariantCounts } from '../../domain/records.ts';
import type { Route, RoutingTable } from '../../domain/routing.ts';
import { CountCells } from './count-cells.ts';
import { createPeriodicFlush } from './periodic-flush.ts';
import type { ServingLog } from './ports.ts';
import { createRareLog } from './rare-log.ts';

/** A rollout looks at its counters every few seconds at most. */
const FLUSH_EVERY_MS = 1_000;
const LOG_EVERY_MS = 60_000;

export interface VariantCounters {
  /**
   * `slow` is the caller's judgement against the table's `slowMs`; `score` (0..1) is `null` where there is no answer.
   * Never waits and never throws.
   */
  count(
    table: RoutingTable,
    route: Route,
    error: boolean,
    slow: boolean,
    latencyMs: number,
    score: number | null,
  ): void;
  /** Since this process first routed this way. */
  totals(table: RoutingTable, route: Route): VariantCounts;
  /** Forgets the totals of routes that are in none of the tables, once their counts are written. */
  retain(tables: readonly RoutingTable[]): void;
  /** Writes what is open, for `limitMs` at most. */
  close(limitMs: number): Promise<void>;
}

/** Counters per variant, written each second; a write that failed is repeated under the same sequence numbers. */
export function createVariantCounters(deps: {
  readonly records: Pick<RecordStore, 'saveCounts'>;
  readonly log: ServingLog;
}): VariantCounters {
  const instance = randomUUID();
  const cells = new CountCells();
  const rarely = createRareLog(LOG_EVERY_MS);
  let sequence = 0;
  // While the database is away no further windows are cut, so this holds one row per route at most.
  let unsaved: readonly CountsRow[] = [];
  const flush = createPeriodicFlush({
    everyMs: FLUSH_EVERY_MS,
    hasWork: () => unsaved.length > 0 || cells.hasOpenWindows,
    write: async () => {
      if (unsaved.length === 0) unsaved = cells.cutWindows().map((row) => ({ instance, sequence: sequence++, ...row }));
      await deps.records.saveCounts(unsaved);
      unsaved = [];
    },
    isUrgent: () => false,
    onFailure: (error, retryInMs) =>
      rarely('waiting', () => deps.log.warn({ err: error, retryInMs }, 'variant counters wait for the database')),
  });

  return {
    count: (...args) => cells.count(...args),
    totals: (...args) => cells.totals(...args),
    retain: (tables) => cells.retain(tables),
    close: async (limitMs) => {
      if (await flush.close(limitMs)) return;
      deps.log.error({ rows: unsaved.length }, 'variant counters were not written before the process ended');
    },
  };
}
