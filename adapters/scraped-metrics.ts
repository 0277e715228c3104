import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

/** Metrics without labels, whose values somebody else keeps: each scrape takes over what `read` says. */
export function createScrapedMetrics<T>(registry: Registry, read: () => T) {
  const registers = [registry];
  return {
    gauge: (name: string, help: string, value: (from: T) => number): void => {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value(read()));
        },
      });
    },
    /** `value`: since the start. */
    counter: (name: string, help: string, value: (from: T) => number): void => {
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(value(read()));
        },
      });
    },
  };
}
