import type { Config } from '../adapters/config.ts';
import { createMetrics } from '../adapters/metrics.ts';
import { readRecoveryStatus } from '../adapters/recovery-status.ts';
import { readRegionStatus } from '../adapters/region-status.ts';
import { createRegistry } from '../db/create-registry.ts';
import { createFleetAnswers } from './cluster/fleet-answers.ts';
import type { Exit, Fleet, ServingProcess } from './cluster/fleet.ts';
import { createConnectionBalance } from './cluster/connection-balance.ts';
import { createHangWatch } from './cluster/hang-watch.ts';
import { createMemoryWatch } from './cluster/memory-watch.ts';
import { createRecordLosses } from './cluster/record-losses.ts';
import { watchOpenRollouts } from './cluster/watch-open-rollouts.ts';
import { connectControlPlane } from './connect-control-plane.ts';
import { defaultBound } from './journal/default-bound.ts';
import { createJournalShipper } from './journal/journal-shipper.ts';
import { lendLimits } from './limits/lend-limits.ts';
import type { Log } from './log.ts';

/** What is not shipped by then is shipped by the next start. */
const JOURNAL_CLOSE_LIMIT_MS = 2_000;
/** How often the processes are looked at: what a killed one has told is this old at most. */
const LOOK_EVERY_MS = 2_000;
const LOOK_LIMIT_MS = 1_000;

export interface PrimaryDuties {
  /** Lets a process ask. */
  serve(process: ServingProcess): void;
  /** Its counts stay in the sums. */
  forget(process: ServingProcess, exit: Exit): void;
  close(): Promise<void>;
}

export interface PrimaryDutiesDeps {
  readonly config: Config;
  readonly databaseUrl: string;
  readonly fleet: Fleet;
  /** Of a serving process, MB: above it one that has grown is replaced. */
  readonly memoryLimitMb: number;
  readonly log: Log;
}

/** What is done once for all serving processes: their journals are shipped, their metrics added up. */
export function startPrimaryDuties(deps: PrimaryDutiesDeps): PrimaryDuties {
  const { config, databaseUrl, fleet, memoryLimitMb, log } = deps;
  const database = createRegistry(databaseUrl, { applicationName: 'sluice-api-primary' });
  const { dir, bytesMax, ageMaxMs } = config.journal;
  const bounds = { bytesMax: bytesMax ?? defaultBound(dir), ageMaxMs };
  const shipper = createJournalShipper({ dir, store: database.registry.journal, bounds, log });
  const metrics = createMetrics();
  const losses = createRecordLosses(log);
  const balance = createConnectionBalance({ fleet });
  const hangs = createHangWatch({ log });
  const memory = createMemoryWatch({ fleet, limitMb: memoryLimitMb, log });
  metrics.watchJournal(() => ({ ...shipper.status(), ...losses.totals() }));
  metrics.watchRecovery(() => readRecoveryStatus(config.home));
  metrics.watchRegion(() => (config.region === null ? null : readRegionStatus(config.home)));
  const temporal = connectControlPlane(config);
  const status = (model: string) => temporal.control.rolloutStatus(model);
  const open = watchOpenRollouts({ rollouts: database.registry.rollouts, status, log });
  metrics.watchRollouts(() => open.snapshots());
  metrics.watchFleet(() => {
    return { serving: fleet.serving().length, crashes: fleet.crashes(), recycled: memory.recycled() };
  });
  const limits = lendLimits();
  const answers = createFleetAnswers({
    fleet,
    metrics,
    journal: () => shipper.status(),
    losses,
    recycled: () => memory.recycled(),
  });
  const look = setInterval(() => {
    for (const process of fleet.serving()) {
      process.link.ask('state', null, LOOK_LIMIT_MS).then(
        (state) => {
          if (!fleet.serving().includes(process)) return;
          hangs.heard(process);
          losses.note(process, state);
          memory.note(process, state);
          balance.note(process, state.connections);
        },
        // One that is busy or gone is looked at the next time, or never again.
        () => {
          if (fleet.serving().includes(process)) hangs.missed(process);
        },
      );
    }
  }, LOOK_EVERY_MS);
  look.unref();
  return {
    serve: (process) => {
      answers.serve(process);
      limits.lendTo(process);
    },
    forget: (process, exit) => {
      answers.forget(process);
      losses.forget(process, exit);
      limits.forget(process);
    },
    close: async () => {
      clearInterval(look);
      open.close();
      limits.close();
      await shipper.close(JOURNAL_CLOSE_LIMIT_MS);
      await Promise.all([database.close(), temporal.close()]);
    },
  };
}
