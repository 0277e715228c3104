import { aggregateMetrics } from '../../adapters/metrics-snapshot.ts';
import type { MetricsSnapshot } from '../../adapters/metrics-snapshot.ts';
import type { JournalStatus } from '../journal/journal-shipper.ts';
import type { FleetOverview, ProcessState } from './calls.ts';
import { DepartedMetrics } from './departed-metrics.ts';
import type { Fleet, ServingProcess } from './fleet.ts';
import type { RecordLosses } from './record-losses.ts';
import { createSharedAnswer } from './shared-answer.ts';

/** However often it is scraped, the processes are asked once a second at most. */
const KEEP_MS = 1_000;
/** A process that takes longer is left out of this answer. */
const ASK_LIMIT_MS = 1_000;

export interface FleetAnswersDeps {
  readonly fleet: Pick<Fleet, 'serving' | 'crashes'>;
  /** Of the primary itself. */
  readonly metrics: { snapshot(): Promise<MetricsSnapshot> };
  /** Of the shipper. */
  readonly journal: () => JournalStatus;
  readonly losses: Pick<RecordLosses, 'note' | 'totals'>;
  readonly recycled?: () => number;
}

export interface FleetAnswers {
  /** Lets a process ask. */
  serve(process: ServingProcess): void;
  /** Its counts stay in the sums. */
  forget(process: ServingProcess): void;
}

/** What the primary tells a serving process of all of them. */
export function createFleetAnswers(deps: FleetAnswersDeps): FleetAnswers {
  const { fleet, metrics, journal, losses, recycled } = deps;
  const departed = new DepartedMetrics();

  async function gather<T>(ask: (process: ServingProcess) => Promise<T>): Promise<readonly T[]> {
    const asked = await Promise.allSettled(fleet.serving().map(ask));
    return asked.flatMap((answer) => (answer.status === 'fulfilled' ? [answer.value] : []));
  }

  const overview = createSharedAnswer(async (): Promise<FleetOverview> => {
    const processes = await gather<ProcessState>(async (process) => {
      const state = await process.link.ask('state', null, ASK_LIMIT_MS);
      losses.note(process, state);
      return state;
    });
    const { spilled, lost } = losses.totals();
    const notWritable = processes.some(({ journal: own }) => own?.notWritable === true);
    return {
      processes,
      crashes: fleet.crashes(),
      journal: { ...journal(), spilled, notWritable },
      recordsLost: lost,
      ...(recycled === undefined ? {} : { recycled: recycled() }),
    };
  }, KEEP_MS);

  const metricsText = createSharedAnswer(async (): Promise<string> => {
    const own = metrics.snapshot();
    const snapshots = await gather(async (process) => {
      const snapshot = await process.link.ask('metrics', null, ASK_LIMIT_MS);
      departed.note(process, snapshot);
      return snapshot;
    });
    return aggregateMetrics([...snapshots, await own, ...departed.counts()]);
  }, KEEP_MS);

  return {
    serve: (process) => {
      process.link.answer('overview', overview);
      process.link.answer('metricsText', metricsText);
      process.link.answer('keysChanged', async () => {
        const others = fleet.serving().filter((other) => other !== process);
        await Promise.allSettled(others.map(({ link }) => link.ask('refreshKeys', null, ASK_LIMIT_MS)));
        return null;
      });
    },
    forget: (process) => departed.add(process),
  };
}
