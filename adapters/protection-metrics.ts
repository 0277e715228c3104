import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RateTier } from '../domain/rate-tier.ts';
import { createScrapedMetrics } from './scraped-metrics.ts';

/** What the gauges of the admission read when they are scraped; counts are since the start. */
export interface AdmissionGauges {
  readonly inProgress: number;
  readonly limit: number;
  readonly refused: number;
  readonly overdue: number;
}

export interface BreakerGauges {
  readonly model: string;
  readonly routes: readonly { readonly version: number; readonly breaker?: 'closed' | 'halfOpen' | 'open' }[];
}

const BREAKER_VALUES = { closed: 0, halfOpen: 1, open: 2 } as const;

/** What keeps a process standing: limits, refusals. */
export interface ProtectionMetrics {
  /** A request refused because its key has used up its limit. */
  rateLimited(tier: RateTier): void;
  /** A request let through or refused by this process alone: the owner of the limits did not answer. */
  rateUnchecked(tier: RateTier): void;
  watchAdmission(read: () => AdmissionGauges): void;
  watchBreakers(read: () => readonly BreakerGauges[]): void;
  /** A row that was looked up among kept answers. */
  cacheLookup(model: string, outcome: 'hit' | 'miss'): void;
}

export function createProtectionMetrics(registry: Registry): ProtectionMetrics {
  const registers = [registry];
  const exceeded = new Counter({
    name: 'rate_limit_exceeded_total',
    help: 'Requests refused because the key has used up its limit, by its tier',
    labelNames: ['tier'],
    registers,
  });
  const unchecked = new Counter({
    name: 'rate_limit_unchecked_total',
    help: 'Requests decided by one process alone because the owner of the limits did not answer, by tier',
    labelNames: ['tier'],
    registers,
  });
  const lookups = new Counter({
    name: 'result_cache_lookups_total',
    help: 'Rows looked up among kept answers, by what was found',
    labelNames: ['model', 'outcome'],
    registers,
  });
  return {
    cacheLookup: (model, outcome) => lookups.inc({ model, outcome }),
    watchBreakers: (read) => createBreakerMetrics(registry, read),
    rateLimited: (tier) => exceeded.inc({ tier }),
    rateUnchecked: (tier) => unchecked.inc({ tier }),
    watchAdmission: (read) => createAdmissionMetrics(registry, read),
  };
}

function createAdmissionMetrics(registry: Registry, read: () => AdmissionGauges): void {
  const { gauge } = createScrapedMetrics(registry, read);
  gauge('predictions_in_progress', 'Prediction requests at work', (a) => a.inProgress);
  gauge('predictions_in_progress_limit', 'Prediction requests that may be at work just now', (a) => a.limit);
  new Counter({
    name: 'predictions_refused_total',
    help: 'Prediction requests refused for overload (before any work) or given up at the deadline',
    labelNames: ['reason'],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ reason: 'overload' }, read().refused);
      this.inc({ reason: 'deadline' }, read().overdue);
    },
  });
}

function createBreakerMetrics(registry: Registry, read: () => readonly BreakerGauges[]): void {
  new Gauge({
    name: 'circuit_breaker_state',
    help: 'Of each routed version: 0 closed, 1 trying again, 2 open: it fails and is not asked',
    labelNames: ['model', 'model_version'],
    registers: [registry],
    aggregator: 'max',
    collect() {
      this.reset();
      for (const { model, routes } of read()) {
        for (const { version, breaker = 'closed' } of routes) {
          this.set({ model, model_version: String(version) }, BREAKER_VALUES[breaker]);
        }
      }
    },
  });
}
