import type { Metrics } from '../../adapters/metrics.ts';
import { DomainError } from '../../domain/errors.ts';
import type { JournalWriterStatus } from '../journal/journal-writer.ts';
import type { KeyDirectory } from '../security/key-directory.ts';
import type { RunningServer } from '../server.ts';
import type { Serving } from '../serving/contract.ts';
import type { FleetOverview, PrimaryCalls, ProcessCalls, ProcessState } from './calls.ts';
import type { Link } from './link.ts';

/** The primary asks every process within a second. */
const ASK_LIMIT_MS = 2_500;
const MEGABYTE = 1024 * 1024;

export interface JoinFleetDeps {
  readonly link: Link<PrimaryCalls, ProcessCalls>;
  readonly metrics: Metrics;
  readonly keys: KeyDirectory;
  readonly serving: Pick<Serving, 'served' | 'status'>;
  readonly journal: () => JournalWriterStatus;
  /** `null` until it is there. */
  readonly server: () => Pick<RunningServer, 'connections' | 'shed'> | null;
}

/** The parts of the application that speak for all processes. */
export interface FleetMember {
  readonly metrics: Metrics;
  readonly keys: KeyDirectory;
  readonly overview: () => Promise<FleetOverview>;
}

/** Makes this process answer the primary's questions, and lets it ask for all. */
export function joinFleet({ link, metrics, keys, serving, journal, server }: JoinFleetDeps): FleetMember {
  link.answer('state', () => {
    const { spilled, failing } = journal();
    return describeProcess(serving, { spilled, notWritable: failing }, server()?.connections() ?? 0);
  });
  link.answer('shed', (count) => {
    server()?.shed(count);
    return null;
  });
  link.answer('metrics', () => metrics.snapshot());
  link.answer('refreshKeys', async () => {
    await keys.refresh();
    return null;
  });

  async function ask<T extends 'overview' | 'metricsText'>(topic: T): Promise<PrimaryCalls[T]['reply']> {
    try {
      return await link.ask(topic, null, ASK_LIMIT_MS);
    } catch (cause) {
      throw new DomainError('unavailable', `The processes of the API could not be asked: ${String(cause)}`);
    }
  }

  return {
    metrics: { ...metrics, text: () => ask('metricsText') },
    keys: {
      ...keys,
      refresh: async () => {
        await keys.refresh();
        await link.ask('keysChanged', null, ASK_LIMIT_MS);
      },
    },
    overview: () => ask('overview'),
  };
}

export function describeProcess(
  serving: Pick<Serving, 'served' | 'status'>,
  journal: ProcessState['journal'],
  connections: number,
): ProcessState {
  const { ready, reasons, recordsQueued, recordsDropped } = serving.status();
  return {
    pid: process.pid,
    uptimeS: Math.round(process.uptime()),
    memoryMb: Math.round(process.memoryUsage.rss() / MEGABYTE),
    connections,
    ready,
    reasons,
    recordsQueued,
    recordsDropped,
    journal,
    models: serving.served().map(({ model, generation, routes }) => ({
      model,
      generation,
      routes: routes.map(({ variant, version, weightPercent, counts, breaker = 'closed' }) => ({
        variant,
        version,
        weightPercent,
        counts,
        breaker,
      })),
    })),
  };
}
