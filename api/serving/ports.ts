/** What the serving path asks of the world around it. */
import type { Variant } from '../../domain/routing.ts';

/** Implemented on prom-client. Called on the hot path: must be cheap and must not throw. */
export interface ServingMetrics {
  /** One row. `invalid`: refused for its input, nobody's error. */
  observe(model: string, version: number, variant: Variant, status: ServingOutcome, latencyMs: number): void;
  /** Rows that shared one run. */
  batchSize(rows: number): void;
}

export type ServingOutcome = 'ok' | 'error' | 'invalid';

/** Fits pino. */
export interface ServingLog {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}
