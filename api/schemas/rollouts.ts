import { z } from '@hono/zod-openapi';
import { STRATEGIES } from '../../domain/rollout/plan.ts';
import type { PlanOverrides, RolloutPlan } from '../../domain/rollout/plan.ts';
import { ROLLOUT_PHASES } from '../../domain/rollout/state.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { Verdict } from '../../domain/verdict.ts';
import { ROLLOUT_COMMANDS } from '../../workflows/messages.ts';
import { modelNameSchema, reasonSchema, timestampSchema, versionNumberSchema } from './parameters.ts';
import { routeSchema } from './routing.ts';
import { optional } from './optional.ts';

export const strategySchema = z.enum(STRATEGIES);

const planParts = {
  steps: z.array(z.strictObject({ weightPercent: z.number(), bakeTimeMs: z.number() })),
  minRequests: z.number(),
  observeEveryMs: z.number(),
  keepWarmMs: z.number(),
};
const limits = { errorRateMax: z.number(), p95MsMax: z.number() };

const planSchema = z
  .strictObject({ strategy: strategySchema, ...planParts, limits: z.strictObject(limits) })
  .openapi('RolloutPlan', { description: 'Durations in milliseconds' }) satisfies z.ZodType<RolloutPlan>;

/** The shape only: the ranges are the domain's (`checkPlan`), the same for everyone who starts a rollout. */
const planOverridesSchema = z
  .strictObject({
    steps: optional(planParts.steps),
    minRequests: optional(planParts.minRequests),
    observeEveryMs: optional(planParts.observeEveryMs),
    keepWarmMs: optional(planParts.keepWarmMs),
    limits: optional(
      z.strictObject({ errorRateMax: optional(limits.errorRateMax), p95MsMax: optional(limits.p95MsMax) }),
    ),
  })
  .openapi('PlanOverrides', {
    description: "Replaces parts of the definition's plan for this rollout",
  }) satisfies z.ZodType<PlanOverrides>;

const verdictSchema = z.strictObject({
  kind: z.enum(['rollback', 'healthy', 'inconclusive']),
  reason: z.string(),
  evidence: z.array(
    z.strictObject({
      metric: z.enum(['errorRate', 'p95']),
      observed: z.number(),
      limit: z.number(),
      eValue: z.number(),
      threshold: z.number(),
    }),
  ),
}) satisfies z.ZodType<Verdict>;

const snapshotSchema = z
  .strictObject({
    rolloutId: z.string(),
    model: z.string(),
    candidate: z.int(),
    champion: z.int().nullable(),
    plan: planSchema,
    phase: z.enum(ROLLOUT_PHASES),
    stepIndex: z.int(),
    weightPercent: z.number(),
    generation: z.int(),
    routes: z.array(routeSchema),
    verdict: verdictSchema.nullable(),
    explanation: z.strictObject({ now: z.string(), waitsFor: z.string(), next: z.string() }),
    startedAtMs: z.number(),
    stepStartedAtMs: z.number(),
    stepEndsAtMs: z.number().nullable(),
    reason: z.string().nullable(),
  })
  .openapi('RolloutSnapshot') satisfies z.ZodType<RolloutSnapshot>;

export const startRolloutSchema = z
  .strictObject({
    model: modelNameSchema,
    version: versionNumberSchema,
    strategy: optional(strategySchema),
    plan: optional(planOverridesSchema),
    reason: optional(reasonSchema),
  })
  .openapi('StartRollout');

export const startedSchema = z
  .strictObject({ workflow_id: z.string(), run_id: z.string() })
  .openapi('StartedWorkflow', { description: 'Runs durably from here on; look it up for its progress' });

export const rolloutSchema = z
  .strictObject({
    id: z.string(),
    model: z.string(),
    candidate: z.int(),
    champion: z.int().nullable(),
    phase: z.string(),
    plan: planSchema,
    snapshot: snapshotSchema.nullable(),
    reason: z.string().nullable(),
    workflow_id: z.string(),
    run_id: z.string(),
    started_by: z.string(),
    started_at: timestampSchema,
    finished_at: timestampSchema.nullable(),
  })
  .openapi('Rollout');

export const rolloutListSchema = z.strictObject({ rollouts: z.array(rolloutSchema) });

export const commandParams = z.strictObject({
  rollout: z.string().min(1).max(100).openapi({ example: 'churn', description: 'Id of a rollout, or a model' }),
  command: z.enum(ROLLOUT_COMMANDS).openapi({ example: 'pause' }),
});
export const rolloutParams = commandParams.pick({ rollout: true });
export const commandBodySchema = z.strictObject({ reason: optional(reasonSchema) }).openapi('RolloutCommand');

export const commandAnswerSchema = z
  .strictObject({ applied: z.enum(ROLLOUT_COMMANDS), status: snapshotSchema })
  .openapi('AppliedCommand');
/** A rollback with nothing running: a new rollout goes back to the alias `previous`. */
export const rollbackStartedSchema = z
  .strictObject({
    applied: z.literal('rollback'),
    status: z.null(),
    version: z.int(),
    workflow_id: z.string(),
    run_id: z.string(),
  })
  .openapi('RollbackStarted');
