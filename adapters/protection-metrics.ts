import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RateTier } from '../domain/rate-tier.ts';

/** What the gauges of the admission read when they are scraped; counts are since the start. */
export interface AdmissionGauges {
  readonly inProgress: number;
  readonly limit: number;
  readonly refused: number;
  readonly overdue: number;
}

/** What keeps a process standing: limits, refusals. */
export interface ProtectionMetrics {
  /** A request refused because its key has used up its limit. */
  rateLimited(tier: RateTier): void;
  /** A request let through or refused by this process alone: the owner of the limits did not answer. */
  rateUnchecked(tier: RateTier): void;
  watchAdmission(read: () => AdmissionGauges): void;
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
  return {
    rateLimited: (tier) => exceeded.inc({ tier }),
    rateUnchecked: (tier) => unchecked.inc({ tier }),
    watchAdmission: (read) => createAdmissionMetrics(registry, read),
  };
}

function createAdmissionMetrics(registry: Registry, read: () => AdmissionGauges): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (admission: AdmissionGauges) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  gauge('predictions_in_progress', 'Prediction requests at work', (a) => a.inProgress);
  gauge('predictions_in_progress_limit', 'Prediction requests that may be at work just now', (a) => a.limit);
  new Counter({
    name: 'predictions_refused_total',
    help: 'Prediction requests refused for overload (before any work) or given up at the deadline',
    labelNames: ['reason'],
    registers,
    collect() {
      this.reset();
      this.inc({ reason: 'overload' }, read().refused);
      this.inc({ reason: 'deadline' }, read().overdue);
    },
  });
}
