import { z } from '@hono/zod-openapi';
import { BREAKER_STATES } from '../serving/version-breakers.ts';
import { routeShape } from './routing.ts';

export const HEALTH_STATUSES = ['ok', 'degraded', 'starting', 'draining'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export const aliveSchema = z.strictObject({ alive: z.literal(true) }).openapi('Alive');
export const readySchema = z
  .strictObject({
    ready: z.boolean(),
    reasons: z.array(z.string()).openapi({ description: 'What is still missing; empty when ready' }),
  })
  .openapi('Readiness');
export const healthSchema = z.strictObject({ status: z.enum(HEALTH_STATUSES) }).openapi('Health');

/** Not by extending the schema of a route: documented as `allOf`, two strict objects refuse each other's fields. */
const healthRouteSchema = z
  .strictObject({
    ...routeShape,
    breaker: z.enum(BREAKER_STATES).openapi({ description: '`open`: the version fails and is not asked for a while' }),
  })
  .openapi('HealthRoute');

const dependencySchema = z.strictObject({
  status: z.enum(['up', 'down']),
  latency_ms: z.number(),
  message: z.string().nullable(),
});

const processSchema = z.strictObject({
  pid: z.int(),
  uptime_s: z.number(),
  memory_mb: z.number(),
  ready: z.boolean(),
  reasons: z.array(z.string()),
});

export const detailedHealthSchema = z
  .strictObject({
    status: z.enum(HEALTH_STATUSES),
    reasons: z.array(z.string()),
    version: z.string(),
    node: z.string(),
    uptime_s: z.number(),
    memory_mb: z.number().openapi({ description: 'Resident memory of the serving processes' }),
    processes: z.array(processSchema),
    process_crashes: z.int().openapi({ description: 'Serving processes that ended by themselves and were replaced' }),
    process_recycles: z
      .int()
      .optional()
      .openapi({ description: 'Serving processes replaced because their memory had grown past its limit' }),
    dependencies: z.record(z.string(), dependencySchema),
    models: z.array(z.strictObject({ model: z.string(), generation: z.int(), routes: z.array(healthRouteSchema) })),
    records: z.strictObject({
      queued: z.int().openapi({ description: 'Waiting for the database; of those in the journal, an estimate' }),
      dropped: z.int().openapi({ description: 'Lost since the start: at the bound of the journal, or of the memory' }),
    }),
    journal: z
      .strictObject({
        bytes: z.int(),
        lag_s: z.number().openapi({ description: 'Age of the oldest record that is not in the database yet' }),
        shipped: z.int(),
        dropped: z.int().openapi({ description: 'Lost at the bound of the journal' }),
        rejected: z.int().openapi({ description: 'Put aside: refused by the database, or damaged' }),
        spilled: z.int().openapi({ description: 'Not taken by the journal (a full disk): kept in memory' }),
        failing: z.boolean().openapi({ description: 'It cannot be written just now' }),
      })
      .optional()
      .openapi({ description: 'Absent where predictions are not journalled' }),
    keys: z.strictObject({ loaded: z.int(), age_ms: z.number().nullable() }),
  })
  .openapi('DetailedHealth');
