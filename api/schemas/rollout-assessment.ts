import { z } from '@hono/zod-openapi';
import type { PlanAssessment } from '../../domain/assess-plan.ts';
import type { BacktestResult } from '../../domain/replay-policy.ts';
import { optional } from './optional.ts';
import { modelNameSchema } from './parameters.ts';
import { planOverridesSchema, planSchema, strategySchema } from './rollout-plan.ts';
import { verdictSchema } from './rollout-snapshot.ts';

const shareSchema = z.number().min(0).max(1);
const trafficShape = {
  requestsPerSecond: z.number().min(0).max(1e6),
  errorRate: shareSchema,
  slowShare: shareSchema,
  usersPerDay: z.number().min(0).nullable(),
  outcomes: z.record(z.string(), shareSchema),
};

export const assessBodySchema = z
  .strictObject({
    model: modelNameSchema,
    strategy: optional(strategySchema),
    plan: optional(planOverridesSchema),
    traffic: optional(
      z.strictObject({
        requestsPerSecond: optional(trafficShape.requestsPerSecond),
        errorRate: optional(trafficShape.errorRate),
        slowShare: optional(trafficShape.slowShare),
        usersPerDay: optional(trafficShape.usersPerDay),
        outcomes: optional(trafficShape.outcomes),
      }),
    ).openapi({ description: 'Replaces parts of what was measured over the last day' }),
  })
  .openapi('AssessPlan');

const ms = z.number().nullable();
const assessmentSchema = z.strictObject({
  steps: z.array(
    z.strictObject({
      weightPercent: z.number(),
      bakeTimeMs: z.number(),
      maxWaitMs: ms,
      toHealthyMs: ms,
      expectedMs: ms,
      detectMs: z.strictObject({ x2: ms, x5: ms, x10: ms }),
      undecided: z.array(z.string()),
    }),
  ),
  expectedMs: ms,
  decidable: z.boolean(),
  warnings: z.array(z.string()),
}) satisfies z.ZodType<PlanAssessment>;

export const assessedSchema = z
  .strictObject({
    model: z.string(),
    plan: planSchema,
    traffic: z.strictObject(trafficShape),
    assessment: assessmentSchema,
  })
  .openapi('PlanAssessment', { description: 'Durations in milliseconds; null: never at this traffic' });

export const backtestBodySchema = z
  .strictObject({
    rollout: z.string().min(1).max(100).openapi({ description: 'Id of the recorded rollout, or a model: its latest' }),
    strategy: optional(strategySchema),
    plan: optional(planOverridesSchema),
  })
  .openapi('Backtest');

const countsSchema = z.strictObject({
  requests: z.number(),
  errors: z.number(),
  slow: z.number(),
  latencySumMs: z.number(),
});

const resultSchema = z.strictObject({
  outcome: z.enum(['promoted', 'rolledBack', 'undecided']),
  atMs: ms,
  events: z.array(
    z.strictObject({
      atMs: z.number(),
      kind: z.enum(['step', 'rolledBack', 'promoted', 'asked', 'ended']),
      weightPercent: z.number(),
      reason: z.string(),
    }),
  ),
  verdict: verdictSchema.nullable(),
  looks: z.int(),
  lookEveryMs: z.number(),
  candidate: countsSchema,
}) satisfies z.ZodType<BacktestResult>;

export const backtestedSchema = z
  .strictObject({
    rollout_id: z.string(),
    model: z.string(),
    recorded: z.strictObject({ outcome: z.string(), started_at: z.string(), finished_at: z.string().nullable() }),
    plan: planSchema,
    result: resultSchema,
  })
  .openapi('BacktestResult');
