import type { Serving } from '../serving/contract.ts';
import type { FleetOverview, JournalHealth } from './calls.ts';
import { describeProcess } from './join-fleet.ts';

export interface LoneProcess {
  readonly serving: Pick<Serving, 'served' | 'status'>;
  /** Absent: predictions are not journalled. */
  readonly journal?: () => JournalHealth;
}

/** The overview of an API that is one process: of tests, and of whatever embeds the application. */
export function overviewOfOne({ serving, journal }: LoneProcess): () => Promise<FleetOverview> {
  return () =>
    Promise.resolve({ processes: [describeProcess(serving, null, 0)], crashes: 0, journal: journal?.() ?? null });
}
