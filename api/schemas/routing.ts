import { z } from '@hono/zod-openapi';
import { VARIANTS } from '../../domain/routing.ts';
import type { Route } from '../../domain/routing.ts';
import { BREAKER_STATES } from '../serving/version-breakers.ts';
import { optional } from './optional.ts';

export const variantSchema = z.enum(VARIANTS);

export const routeShape = {
  variant: variantSchema,
  version: z.int(),
  weightPercent: z.number(),
  mirrorPercent: optional(z.number()),
};

export const routeSchema = z
  .strictObject(routeShape)
  .openapi('Route', { description: 'Which version answers which share of the traffic' }) satisfies z.ZodType<Route>;

const variantCountsSchema = z.strictObject({
  requests: z.int(),
  errors: z.int(),
  slow: z.int(),
  latencySumMs: z.number(),
});

export const routerMetricsSchema = z
  .strictObject({
    models: z.array(
      z.strictObject({
        model: z.string(),
        generation: z.int(),
        routes: z.array(
          z.strictObject({
            variant: variantSchema,
            version: z.int(),
            weightPercent: z.number(),
            counts: variantCountsSchema,
            breaker: optional(z.enum(BREAKER_STATES)),
          }),
        ),
      }),
    ),
  })
  .openapi('RouterMetrics');
