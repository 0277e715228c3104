import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import type { Aggregator } from 'prom-client';
import type { RiskCategory } from '../domain/records.ts';
import type { Route, Variant } from '../domain/routing.ts';
import type { MetricsSnapshot } from './metrics-snapshot.ts';
import { createProtectionMetrics } from './protection-metrics.ts';
import type { ProtectionMetrics } from './protection-metrics.ts';

/** 0.1 ms to 1 s: a prediction takes parts of a millisecond, the promises stand at 10, 50, 100 and 150 ms. */
const LATENCY_BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1,
];
/** Control-plane requests wait for the database or for Temporal: up to the command deadline of 10 s. */
const REQUEST_BUCKETS_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const BATCH_BUCKETS_ROWS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

/** `invalid`: refused for its input, nobody's error. */
export type PredictionStatus = 'ok' | 'error' | 'invalid';

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
}

export interface Metrics extends ProtectionMetrics {
  /** One row that a version was asked for. */
  observe(model: string, version: number, variant: Variant, status: PredictionStatus, latencyMs: number): void;
  /** Rows that shared one run of a model. */
  batchSize(rows: number): void;
  /** An answered prediction, by what it says. */
  answered(model: string, risk: RiskCategory): void;
  request(request: {
    readonly method: string;
    /** The route's pattern, never the path: paths would make a series each. */
    readonly route: string;
    readonly status: number;
    readonly durationMs: number;
    readonly error: string | null;
  }): void;
  watchServing(read: () => ServingGauges): void;
  watchJournal(read: () => JournalGauges): void;
  /** In the primary alone: the processes it keeps. */
  watchFleet(read: () => { readonly serving: number; readonly crashes: number }): void;
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
  const predictions = createPredictionMetrics(registry);
  const requests = createRequestMetrics(registry);
  return {
    ...predictions,
    ...createProtectionMetrics(registry),
    request: requests,
    watchServing: (read) => createServingGauges(registry, read),
    watchJournal: (read) => createJournalMetrics(registry, read),
    watchFleet: (read) => createFleetMetrics(registry, read),
    contentType: registry.contentType,
    text: () => registry.metrics(),
    snapshot: () => registry.getMetricsAsJSON(),
  };
}

function createPredictionMetrics(registry: Registry): Pick<Metrics, 'observe' | 'answered' | 'batchSize'> {
  const registers = [registry];
  const labelNames = ['model', 'model_version', 'variant'] as const;
  const total = new Counter({
    name: 'predictions_total',
    help: 'Predictions by the version asked and how they ended',
    labelNames: [...labelNames, 'status'],
    registers,
  });
  const latency = new Histogram({
    name: 'prediction_latency_seconds',
    help: 'Time from the start of a prediction to its end, by version; refused inputs are not in it',
    labelNames,
    buckets: LATENCY_BUCKETS_SECONDS,
    registers,
  });
  const byRisk = new Counter({
    name: 'ml_predictions_total',
    help: 'Answered predictions by risk category',
    labelNames: ['model', 'risk'],
    registers,
  });
  const batchSize = new Histogram({
    name: 'prediction_batch_size',
    help: 'Rows that shared one run of a model',
    buckets: BATCH_BUCKETS_ROWS,
    registers,
  });
  // Looking a series up by its labels hashes them: the few series of the hot path are kept at hand. Bounded by the
  // routed versions this process has ever served.
  const series = remember((model, version, variant, status) => {
    const labels = { model, model_version: String(version), variant };
    return { total: total.labels({ ...labels, status }), latency: latency.labels(labels) };
  });
  return {
    observe(model, version, variant, status, latencyMs) {
      const own = series(model, version, variant, status);
      own.total.inc();
      // A row refused before any model ran would make the model look faster than it is.
      if (status !== 'invalid') own.latency.observe(latencyMs / 1000);
    },
    answered: (model, risk) => byRisk.inc({ model, risk }),
    batchSize: (rows) => batchSize.observe(rows),
  };
}

type Series<T> = (model: string, version: number, variant: Variant, status: PredictionStatus) => T;

function remember<T>(create: Series<T>): Series<T> {
  const made = new Map<string, T>();
  return (model, version, variant, status) => {
    const key = `${model}/${version}/${variant}/${status}`;
    const found = made.get(key);
    if (found !== undefined) return found;
    const series = create(model, version, variant, status);
    made.set(key, series);
    return series;
  };
}

function createRequestMetrics(registry: Registry): Metrics['request'] {
  const registers = [registry];
  const total = new Counter({
    name: 'ml_api_requests_total',
    help: 'HTTP requests by route and status',
    labelNames: ['method', 'route', 'status'],
    registers,
  });
  const duration = new Histogram({
    name: 'ml_api_request_duration_seconds',
    help: 'Time from the request to its answer, by route',
    labelNames: ['method', 'route'],
    buckets: REQUEST_BUCKETS_SECONDS,
    registers,
  });
  const errors = new Counter({
    name: 'ml_api_errors_total',
    help: 'HTTP requests answered with a problem, by its code',
    labelNames: ['method', 'route', 'error'],
    registers,
  });
  return ({ method, route, status, durationMs, error }) => {
    total.inc({ method, route, status });
    duration.observe({ method, route }, durationMs / 1000);
    if (error !== null) errors.inc({ method, route, error });
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
  const registers = [registry];
  const gauge = (name: string, help: string, value: (journal: JournalGauges) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  // The counting is the journal's own: a scrape takes over what it says.
  const counter = (name: string, help: string, value: (journal: JournalGauges) => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(read()));
      },
    });
  gauge('journal_bytes', 'Bytes of the journal of predictions on the disk', (j) => j.bytes);
  gauge('journal_lag_seconds', 'Age of the oldest prediction that is not in the database yet', (j) => j.lagSeconds);
  counter('journal_shipped_total', 'Prediction records taken over by the database', (j) => j.shipped);
  counter('journal_dropped_records_total', 'Prediction records lost at the bound of the journal', (j) => j.dropped);
  counter('journal_rejected_records_total', 'Prediction records put aside: refused or damaged', (j) => j.rejected);
  counter('journal_spilled_records_total', 'Prediction records the journal could not take', (j) => j.spilled);
}

function createFleetMetrics(
  registry: Registry,
  read: () => { readonly serving: number; readonly crashes: number },
): void {
  const registers = [registry];
  new Gauge({
    name: 'api_processes',
    help: 'Processes of the API that answer now',
    registers,
    collect() {
      this.set(read().serving);
    },
  });
  new Counter({
    name: 'api_process_crashes_total',
    help: 'Processes of the API that ended by themselves, and were replaced',
    registers,
    collect() {
      this.reset();
      this.inc(read().crashes);
    },
  });
}
