import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';

interface Loaded {
  readonly versions: number;
  readonly bytes: number;
}

/** What the gauges of the loaded versions read when they are scraped; evictions are since the start. */
export interface VersionGauges {
  readonly routed: Loaded;
  /** Named by no routing any more. */
  readonly kept: Loaded;
  readonly evictions: { readonly budget: number; readonly age: number };
}

export interface VersionMetrics {
  watchVersions(read: () => VersionGauges): void;
}

export function createVersionMetrics(registry: Registry): VersionMetrics {
  return { watchVersions: (read) => watch(registry, read) };
}

function watch(registry: Registry, read: () => VersionGauges): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (loaded: Loaded) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['state'],
      registers,
      collect() {
        const { routed, kept } = read();
        this.set({ state: 'routed' }, value(routed));
        this.set({ state: 'kept' }, value(kept));
      },
    });
  gauge('model_versions_loaded', 'Model versions in memory, over all processes', (l) => l.versions);
  gauge('model_versions_bytes', 'Memory reckoned for them by their files', (l) => l.bytes);
  new Counter({
    name: 'model_version_evictions_total',
    help: 'Versions let go that no routing named any more: for the budget of memory, or for their age',
    labelNames: ['reason'],
    registers,
    collect() {
      const { evictions } = read();
      this.reset();
      this.inc({ reason: 'budget' }, evictions.budget);
      this.inc({ reason: 'age' }, evictions.age);
    },
  });
}
