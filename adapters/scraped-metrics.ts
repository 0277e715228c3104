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

export interface LabelledGauge {
  readonly name: string;
  readonly help: string;
  readonly labelName: string;
}

export interface LabelledValue {
  readonly label: string;
  /** `null`: there is nothing to tell, and no series. */
  readonly value: number | null;
}

/** A gauge with one label: a series that `read` does not name any more is gone from the next scrape. */
export function createLabelledGauge(
  registry: Registry,
  { name, help, labelName }: LabelledGauge,
  read: () => readonly LabelledValue[],
): void {
  new Gauge({
    name,
    help,
    labelNames: [labelName],
    registers: [registry],
    collect() {
      this.reset();
      for (const { label, value } of read()) if (value !== null) this.set({ [labelName]: label }, value);
    },
  });
}
