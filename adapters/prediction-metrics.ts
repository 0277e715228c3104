import type { Registry } from 'prom-client';
import type { RiskCategory } from '../domain/records.ts';
import type { Variant } from '../domain/routing.ts';
import { createHotCounter, createHotHistogram } from './hot-series.ts';
import type { CountSeries, TimeSeries } from './hot-series.ts';

/** 0.1 ms to 1 s: a prediction takes parts of a millisecond, the promises stand at 10, 50, 100 and 150 ms. */
const LATENCY_BUCKETS_SECONDS = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1,
];
/** Control-plane requests wait for the database or for Temporal: up to the command deadline of 10 s. */
const REQUEST_BUCKETS_SECONDS = [
  0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
const BATCH_BUCKETS_ROWS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

/**
 * `invalid`: refused for its input, nobody's error. `diverted`: another version was asked, as this one is known to fail.
 * `degraded`: the model's fallback answered.
 */
export type PredictionStatus = 'ok' | 'error' | 'invalid' | 'diverted' | 'degraded';

export interface AnsweredRequest {
  readonly method: string;
  /** The route's pattern, never the path: paths would make a series each. */
  readonly route: string;
  readonly status: number;
  readonly durationMs: number;
  readonly error: string | null;
}

/** What is counted for every prediction: cheap. */
export interface PredictionMetrics {
  /** One row that a version was asked for. */
  observe(model: string, version: number, variant: Variant, status: PredictionStatus, latencyMs: number): void;
  /** Rows that shared one run of a model. */
  batchSize(rows: number): void;
  /** An answered prediction, by what it says. */
  answered(model: string, risk: RiskCategory): void;
  /** An answered prediction that was explained, and what that cost. */
  explained(model: string, durationMs: number): void;
  request(request: AnsweredRequest): void;
}

export function createPredictionMetrics(registry: Registry): PredictionMetrics {
  const byRisk = createHotCounter({
    registry,
    name: 'ml_predictions_total',
    help: 'Answered predictions by risk category',
  });
  const batchSize = createHotHistogram({
    registry,
    name: 'prediction_batch_size',
    help: 'Rows that shared one run of a model',
    bounds: BATCH_BUCKETS_ROWS,
  }).series({});
  const explanations = createHotHistogram({
    registry,
    name: 'explanation_duration_seconds',
    help: 'Time to explain one prediction',
    bounds: LATENCY_BUCKETS_SECONDS,
  });
  const explained = new Map<string, TimeSeries>();
  const risks = new Map<string, Map<RiskCategory, CountSeries>>();
  return {
    observe: createObserve(registry),
    batchSize: (rows) => batchSize.observe(rows),
    answered: (model, risk) => {
      const own = risks.get(model)?.get(risk);
      (own ?? put(sub(risks, model), risk, byRisk.series({ model, risk }))).inc();
    },
    explained: (model, durationMs) => {
      let own = explained.get(model);
      if (own === undefined) explained.set(model, (own = explanations.series({ model })));
      own.observe(durationMs / 1000);
    },
    request: createRequestMetrics(registry),
  };
}

interface VersionSeries extends Readonly<Record<PredictionStatus, CountSeries>> {
  readonly latency: TimeSeries;
}

function createObserve(registry: Registry): PredictionMetrics['observe'] {
  const total = createHotCounter({
    registry,
    name: 'predictions_total',
    help: 'Predictions by the version asked and how they ended',
  });
  const latency = createHotHistogram({
    registry,
    name: 'prediction_latency_seconds',
    help: 'Time from the start of a prediction to its end, by version; refused inputs are not in it',
    bounds: LATENCY_BUCKETS_SECONDS,
  });
  // Bounded by the routed versions this process has ever served.
  const models = new Map<string, Map<number, Map<Variant, VersionSeries>>>();

  function create(model: string, version: number, variant: Variant): VersionSeries {
    const labels = { model, model_version: String(version), variant };
    const own = {
      latency: latency.series(labels),
      ok: total.series({ ...labels, status: 'ok' }),
      error: total.series({ ...labels, status: 'error' }),
      invalid: total.series({ ...labels, status: 'invalid' }),
      diverted: total.series({ ...labels, status: 'diverted' }),
      degraded: total.series({ ...labels, status: 'degraded' }),
    };
    return put(sub(sub(models, model), version), variant, own);
  }

  return (model, version, variant, status, latencyMs) => {
    const own = models.get(model)?.get(version)?.get(variant) ?? create(model, version, variant);
    own[status].inc();
    // A row that this version was not asked for would make it look faster than it is.
    if (status === 'ok' || status === 'error') own.latency.observe(latencyMs / 1000);
  };
}

interface RouteSeries {
  readonly status: Map<number, CountSeries>;
  readonly errors: Map<string, CountSeries>;
  readonly duration: TimeSeries;
}

/** Bounded by the routes there are. */
function createRequestMetrics(registry: Registry): PredictionMetrics['request'] {
  const total = createHotCounter({
    registry,
    name: 'ml_api_requests_total',
    help: 'HTTP requests by route and status',
  });
  const duration = createHotHistogram({
    registry,
    name: 'ml_api_request_duration_seconds',
    help: 'Time from the request to its answer, by route',
    bounds: REQUEST_BUCKETS_SECONDS,
  });
  const errors = createHotCounter({
    registry,
    name: 'ml_api_errors_total',
    help: 'HTTP requests answered with a problem, by its code',
  });
  const routes = new Map<string, Map<string, RouteSeries>>();

  function create(method: string, route: string): RouteSeries {
    const own = { status: new Map(), errors: new Map(), duration: duration.series({ method, route }) };
    return put(sub(routes, route), method, own);
  }

  return ({ method, route, status, durationMs, error }) => {
    const own = routes.get(route)?.get(method) ?? create(method, route);
    const ended = own.status.get(status);
    (ended ?? put(own.status, status, total.series({ method, route, status: String(status) }))).inc();
    own.duration.observe(durationMs / 1000);
    if (error === null) return;
    (own.errors.get(error) ?? put(own.errors, error, errors.series({ method, route, error }))).inc();
  };
}

function put<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value);
  return value;
}

function sub<K, K2, V>(map: Map<K, Map<K2, V>>, key: K): Map<K2, V> {
  return map.get(key) ?? put(map, key, new Map<K2, V>());
}
