/** What the serving path asks of the world around it. */
import type { Variant } from '../../domain/routing.ts';

/** Implemented on prom-client. Called on the hot path: must be cheap and must not throw. */
export interface ServingMetrics {
  /**
   * One row. `invalid`: refused for its input, nobody's error. `diverted`: the version is known to fail, so another was
   * asked. `degraded`: the fallback answered.
   */
  observe(model: string, version: number, variant: Variant, status: ServingOutcome, latencyMs: number): void;
  /** Rows that shared one run. */
  batchSize(rows: number): void;
  /** A row that was looked up among kept answers. */
  cacheLookup?(model: string, outcome: 'hit' | 'miss'): void;
}

export type ServingOutcome = 'ok' | 'error' | 'invalid' | 'diverted' | 'degraded';

/** Fits pino. */
export interface ServingLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
