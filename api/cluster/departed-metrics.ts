import { mergeCounts } from '../../adapters/metrics-snapshot.ts';
import type { MetricsSnapshot } from '../../adapters/metrics-snapshot.ts';

/**
 * The counts of processes that are gone, as they were last shown: without them every sum would fall with a crash, and
 * a monitoring system would take that for a start from zero. Bounded by the number of series.
 */
export class DepartedMetrics {
  readonly #last = new WeakMap<object, MetricsSnapshot>();
  #counts: MetricsSnapshot | null = null;

  /** Keeps what is being shown of a process. */
  note(process: object, snapshot: MetricsSnapshot): void {
    this.#last.set(process, snapshot);
  }

  /** The process is gone. */
  add(process: object): void {
    const last = this.#last.get(process);
    if (last === undefined) return;
    this.#last.delete(process);
    this.#counts = mergeCounts(this.#counts === null ? [last] : [this.#counts, last]);
  }

  /** Counters and histograms alone; empty while nobody has gone. */
  counts(): readonly MetricsSnapshot[] {
    return this.#counts === null ? [] : [this.#counts];
  }
}
