/**
 * Counters and histograms for the path of every prediction. The library's own look a series up by its labels at each
 * count, which costs as much as parsing a small body; these keep the series at hand and speak to the library only when
 * they are scraped.
 */
import type { Metric, Registry } from 'prom-client';

type Labels = Readonly<Record<string, string>>;

interface Value {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly metricName?: string;
}

interface Options {
  readonly registry: Registry;
  readonly name: string;
  readonly help: string;
}

export interface CountSeries {
  inc(): void;
}

export interface TimeSeries {
  observe(value: number): void;
}

/** One metric of many series; each is made once, and kept by whoever counts. The caller bounds their number. */
export interface HotMetric<S> {
  series(labels: Labels): S;
}

export function createHotCounter(options: Options): HotMetric<CountSeries> {
  const all: { readonly labels: Labels; value: number }[] = [];
  register(options, 'counter', () => all);
  return {
    series: (labels) => {
      const own = { labels, value: 0 };
      all.push(own);
      return {
        inc: () => {
          own.value += 1;
        },
      };
    },
  };
}

/** @param bounds upper bounds of the buckets, ascending, inclusive */
export function createHotHistogram(options: Options & { readonly bounds: readonly number[] }): HotMetric<TimeSeries> {
  const { bounds, name } = options;
  const all: HistogramSeries[] = [];
  register(options, 'histogram', () => all.flatMap((own) => own.values(name)));
  return {
    series: (labels) => {
      const own = new HistogramSeries(labels, bounds);
      all.push(own);
      return own;
    },
  };
}

class HistogramSeries implements TimeSeries {
  readonly #labels: Labels;
  readonly #bounds: readonly number[];
  /** One more than bounds: what is above the last. Not cumulative: one count per value. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(labels: Labels, bounds: readonly number[]) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.#sum += value;
  }

  /** As the text format has it: buckets add up, the last is `+Inf`. */
  values(name: string): Value[] {
    const labels = this.#labels;
    const values: Value[] = [];
    let count = 0;
    this.#counts.forEach((own, bucket) => {
      count += own;
      values.push({
        metricName: `${name}_bucket`,
        labels: { le: this.#bounds[bucket] ?? '+Inf', ...labels },
        value: count,
      });
    });
    values.push({ metricName: `${name}_sum`, labels, value: this.#sum });
    values.push({ metricName: `${name}_count`, labels, value: count });
    return values;
  }
}

/** The library asks nothing of a metric but this, see its `Registry.getMetricsAsString`. */
function register({ registry, name, help }: Options, type: string, values: () => readonly Value[]): void {
  const get = () =>
    Promise.resolve({ name, help, type, aggregator: 'sum', values: values().map((value) => ({ ...value })) });
  registry.registerMetric({ name, help, type, aggregator: 'sum', get, reset: () => undefined } as unknown as Metric);
}
