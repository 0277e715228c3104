import { Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { Aggregator } from 'prom-client';
import type { Route } from '../domain/routing.ts';
import type { MetricsSnapshot } from './metrics-snapshot.ts';
import { createPredictionMetrics } from './prediction-metrics.ts';
import type { PredictionMetrics } from './prediction-metrics.ts';
import { createVersionMetrics } from './version-metrics.ts';
import type { VersionMetrics } from './version-metrics.ts';
import { createRecoveryMetrics } from './recovery-metrics.ts';
import type { RecoveryStatus } from './recovery-status.ts';
import { createRegionMetrics } from './region-metrics.ts';
import type { RegionStatus } from './region-status.ts';
import { createRolloutMetrics } from './rollout-metrics.ts';
import type { RolloutMetrics } from './rollout-metrics.ts';
import { createScrapedMetrics } from './scraped-metrics.ts';
import { createProtectionMetrics } from './protection-metrics.ts';
import type { ProtectionMetrics } from './protection-metrics.ts';

/** What the gauges read when they are scraped. */
export interface ServingGauges {
  readonly ready: boolean;
  readonly recordsQueued: number;
  readonly recordsDropped: number;
  readonly models: readonly {
    readonly model: string;
    readonly generation: number;
    readonly routes: readonly Route[];
  }[];
}

/** What the journal's metrics read when they are scraped; counts are since the start. */
export interface JournalGauges {
  readonly bytes: number;
  readonly lagSeconds: number;
  readonly shipped: number;
  readonly dropped: number;
  readonly rejected: number;
  /** Records that the journal could not take: they wait in memory. */
  readonly spilled: number;
  /** Of these, given up. */
  readonly lost?: number;
}

export interface FleetGauges {
  readonly serving: number;
  /** Since the start, as those replaced. */
  readonly crashes: number;
  readonly recycled: number;
}

export interface Metrics extends PredictionMetrics, ProtectionMetrics, RolloutMetrics, VersionMetrics {
  watchServing(read: () => ServingGauges): void;
  watchJournal(read: () => JournalGauges): void;
  /** In the primary alone: the processes it keeps. */
  watchFleet(read: () => FleetGauges): void;
  /** In the primary alone: what the worker of this home knows of backups. */
  watchRecovery(read: () => RecoveryStatus | null): void;
  /** In the primary alone: what the process of the region knows. */
  watchRegion(read: () => RegionStatus | null): void;
  readonly contentType: string;
  text(): Promise<string>;
  /** For the process that adds several up. */
  snapshot(): Promise<MetricsSnapshot>;
}

/**
 * The API process's metrics in the Prometheus text format, in a registry of their own.
 * @param defaults false leaves out the process's own metrics (heap, event loop), for tests
 */
export function createMetrics(options: { readonly defaults: boolean } = { defaults: true }): Metrics {
  const registry = new Registry();
  if (options.defaults) collectDefaultMetrics({ register: registry });
  return {
    ...createPredictionMetrics(registry),
    ...createProtectionMetrics(registry),
    ...createVersionMetrics(registry),
    ...createRolloutMetrics(registry),
    watchServing: (read) => createServingGauges(registry, read),
    watchJournal: (read) => createJournalMetrics(registry, read),
    watchFleet: (read) => createFleetMetrics(registry, read),
    watchRecovery: (read) => createRecoveryMetrics(registry, read),
    watchRegion: (read) => createRegionMetrics(registry, read),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    snapshot: () => registry.getMetricsAsJSON(),
  };
}

function createServingGauges(registry: Registry, read: () => ServingGauges): void {
  const registers = [registry];
  /** `aggregator`: how the values of several processes meet; default as a sum. */
  const gauge = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    set: (g: Gauge<L>) => void,
    aggregator: Aggregator = 'sum',
  ) =>
    new Gauge<L>({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      aggregator,
      collect() {
        this.reset();
        set(this);
      },
    });
  // A process that lags behind is what an operator wants to see.
  const whole = 'min';
  gauge(
    'serving_ready',
    '1 when every routed version is loaded and proven',
    [],
    (g) => g.set(read().ready ? 1 : 0),
    whole,
  );
  gauge('prediction_records_queued', 'Prediction records waiting for the database', [], (g) =>
    g.set(read().recordsQueued),
  );
  gauge('prediction_records_dropped', 'Prediction records given up since the start: the buffer was full', [], (g) =>
    g.set(read().recordsDropped),
  );
  gauge(
    'routing_generation',
    'Generation of the routing in force, by model',
    ['model'],
    (g: Gauge<'model'>) => {
      for (const { model, generation } of read().models) g.set({ model }, generation);
    },
    whole,
  );
  gauge(
    'routing_weight_percent',
    'Share of traffic, by variant',
    ['model', 'model_version', 'variant'],
    (g: Gauge<'model' | 'model_version' | 'variant'>) => {
      for (const { model, routes } of read().models) {
        for (const r of routes) g.set({ model, model_version: String(r.version), variant: r.variant }, r.weightPercent);
      }
    },
    'first',
  );
}

function createJournalMetrics(registry: Registry, read: () => JournalGauges): void {
  const { gauge, counter } = createScrapedMetrics(registry, read);
  gauge('journal_bytes', 'Bytes of the journal of predictions on the disk', (j) => j.bytes);
  gauge('journal_lag_seconds', 'Age of the oldest prediction that is not in the database yet', (j) => j.lagSeconds);
  counter('journal_shipped_total', 'Prediction records taken over by the database', (j) => j.shipped);
  counter('journal_dropped_records_total', 'Prediction records lost at the bound of the journal', (j) => j.dropped);
  counter('journal_rejected_records_total', 'Prediction records put aside: refused or damaged', (j) => j.rejected);
  counter('journal_spilled_records_total', 'Prediction records the journal could not take', (j) => j.spilled);
  counter('journal_lost_records_total', 'Of those spilled, given up: memory full, or killed', (j) => j.lost ?? 0);
}

function createFleetMetrics(registry: Registry, read: () => FleetGauges): void {
  const { gauge, counter } = createScrapedMetrics(registry, read);
  gauge('api_processes', 'Processes of the API that answer now', (f) => f.serving);
  counter('api_process_crashes_total', 'Processes that ended by themselves, and were replaced', (f) => f.crashes);
  counter('api_process_recycles_total', 'Processes replaced as their memory had grown', (f) => f.recycled);
}
