import { z } from '@hono/zod-openapi';
import type { RolloutReport } from '../reports/build-report.ts';
import { timestampSchema } from './parameters.ts';
import { planSchema } from './rollout-plan.ts';
import { verdictSchema } from './rollout-snapshot.ts';
import { routeSchema } from './routing.ts';

const byArm = z.record(z.string(), z.number());

export const reportSchema = z
  .strictObject({
    rollout_id: z.string(),
    model: z.string(),
    candidate: z.int(),
    champion: z.int().nullable(),
    strategy: z.string(),
    outcome: z.string(),
    reason: z.string().nullable(),
    started_by: z.string(),
    started_at: timestampSchema,
    finished_at: timestampSchema.nullable(),
    duration_ms: z.number(),
    plan: planSchema,
    verdict: verdictSchema.nullable(),
    changes: z.array(
      z.strictObject({
        at: timestampSchema,
        generation: z.int(),
        routes: z.array(routeSchema),
        decided_by: z.string(),
        reason: z.string(),
        evidence: verdictSchema.nullable(),
      }),
    ),
    looks: z.array(
      z.strictObject({
        at: timestampSchema,
        step: z.int(),
        phase: z.string(),
        weights: byArm,
        requests: byArm,
        errors: byArm,
        verdict: z.enum(['rollback', 'healthy', 'inconclusive']),
        evidence: z.array(
          z.strictObject({
            metric: z.string(),
            eValue: z.number(),
            threshold: z.number(),
            healthEValue: z.number().nullable(),
          }),
        ),
      }),
    ),
  })
  .openapi('RolloutReport') satisfies z.ZodType<RolloutReport>;
