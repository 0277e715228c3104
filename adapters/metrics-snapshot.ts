import { AggregatorRegistry } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';

/** The metrics of one process, ready to be sent to another. */
export type MetricsSnapshot = readonly MetricObjectWithValues<MetricValue<string>>[];

/** One text in the Prometheus format over several processes: each metric names how its values meet, by default as sums. */
export function aggregateMetrics(snapshots: readonly MetricsSnapshot[]): Promise<string> {
  return AggregatorRegistry.aggregate(mutable(snapshots)).metrics();
}

/** What only ever grows, as one snapshot: counters and histograms. */
export function mergeCounts(snapshots: readonly MetricsSnapshot[]): MetricsSnapshot {
  const counts = snapshots.map((metrics) => metrics.filter(({ type }) => GROWING.has(String(type))));
  const merged = AggregatorRegistry.aggregate(mutable(counts)).getMetricsAsArray();
  return merged.map((metric) => {
    // Only a registry made from metrics reads later: this one holds values.
    const { get } = metric as unknown as { get: () => MetricsSnapshot[number] };
    return get();
  });
}

const GROWING: ReadonlySet<string> = new Set(['counter', 'histogram']);

/** The library's own types ask for arrays it may change; it does not. */
const mutable = (snapshots: readonly MetricsSnapshot[]): object[] => snapshots as unknown as object[];
