import type { Config } from '../adapters/config.ts';
import { createMetrics } from '../adapters/metrics.ts';
import { createRegistry } from '../db/create-registry.ts';
import { createFleetAnswers } from './cluster/fleet-answers.ts';
import type { FleetAnswers } from './cluster/fleet-answers.ts';
import type { Fleet } from './cluster/fleet.ts';
import { createJournalShipper } from './journal/journal-shipper.ts';
import { lendLimits } from './limits/lend-limits.ts';
import type { Log } from './log.ts';

/** What is not shipped by then is shipped by the next start. */
const JOURNAL_CLOSE_LIMIT_MS = 2_000;

export interface PrimaryDuties {
  readonly answers: FleetAnswers;
  close(): Promise<void>;
}

export interface PrimaryDutiesDeps {
  readonly config: Pick<Config, 'journal'>;
  readonly databaseUrl: string;
  readonly fleet: Fleet;
  readonly log: Log;
}

/** What is done once for all serving processes: their journals are shipped, their metrics added up. */
export function startPrimaryDuties({ config, databaseUrl, fleet, log }: PrimaryDutiesDeps): PrimaryDuties {
  const database = createRegistry(databaseUrl, { applicationName: 'sluice-api-primary' });
  const { dir, ...bounds } = config.journal;
  const shipper = createJournalShipper({ dir, store: database.registry.journal, bounds, log });
  const metrics = createMetrics();
  metrics.watchJournal(() => ({ ...shipper.status(), spilled: 0 }));
  metrics.watchFleet(() => ({ serving: fleet.serving().length, crashes: fleet.crashes() }));
  const limits = lendLimits();
  const answers = createFleetAnswers({ fleet, metrics, journal: () => shipper.status() });
  return {
    answers: {
      serve: (process) => {
        answers.serve(process);
        limits.lendTo(process);
      },
      forget: (process) => {
        answers.forget(process);
        limits.forget(process);
      },
    },
    close: async () => {
      limits.close();
      await shipper.close(JOURNAL_CLOSE_LIMIT_MS);
      await database.close();
    },
  };
}
