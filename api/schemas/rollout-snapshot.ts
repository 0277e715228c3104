import { z } from '@hono/zod-openapi';
import { METRICS } from '../../domain/rollout/plan.ts';
import { NEXT_ACTIONS, ROLLOUT_PHASES } from '../../domain/rollout/state.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import { SHADOW_METRICS } from '../../domain/verdict.ts';
import type { Verdict } from '../../domain/verdict.ts';
import { optional } from './optional.ts';
import { approvalRuleShape, planSchema } from './rollout-plan.ts';
import { routeSchema } from './routing.ts';

const metricSchema = z.enum([...METRICS, ...SHADOW_METRICS]);
const statusSchema = z.enum(['breached', 'healthy', 'open']);

export const verdictSchema = z
  .strictObject({
    kind: z.enum(['rollback', 'healthy', 'inconclusive']),
    reason: z.string(),
    evidence: z.array(
      z.strictObject({
        metric: metricSchema,
        event: optional(z.string()),
        sizes: optional(
          z.strictObject({
            candidate: optional(z.number()),
            baseline: optional(z.number()),
            champion: optional(z.number()),
          }),
        ),
        observed: z.number(),
        baseline: optional(z.number()),
        limit: z.number(),
        eValue: z.number(),
        threshold: z.number(),
        healthEValue: optional(z.number()),
        healthThreshold: optional(z.number()),
        status: optional(statusSchema),
        action: optional(z.enum(['rollback', 'watch'])),
        sentence: optional(z.string()),
      }),
    ),
    sampleRatio: optional(z.strictObject({ ok: z.boolean(), pValue: z.number() }).nullable()),
  })
  .openapi('Verdict') satisfies z.ZodType<Verdict>;

const approvalsSchema = z.strictObject({
  stepIndex: z.int(),
  rules: z.array(z.strictObject({ ...approvalRuleShape, approvedBy: z.array(z.string()), satisfied: z.boolean() })),
  satisfied: z.boolean(),
});

const samplesSchema = z.strictObject({
  candidate: z.number(),
  baseline: z.number(),
  champion: z.number(),
  shadowPairs: z.number(),
  step: z.number(),
  stepMin: z.number(),
});

const eValueSchema = z.strictObject({
  metric: metricSchema,
  event: optional(z.string()),
  eValue: z.number(),
  threshold: z.number(),
  healthEValue: optional(z.number()),
  status: optional(statusSchema),
});

const holdSchema = z.strictObject({
  kind: z.enum(['stopTheLine', 'calendar']),
  reason: z.string(),
  untilMs: z.number().nullable(),
});

const nextSchema = z.strictObject({
  action: z.enum(NEXT_ACTIONS),
  weightPercent: z.number().nullable(),
  atMs: z.number().nullable(),
});

export const snapshotSchema = z
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
    evidenceHash: optional(z.string()),
    approvals: optional(approvalsSchema.nullable()),
    hold: optional(holdSchema.nullable()),
    eValues: optional(z.array(eValueSchema)),
    samples: optional(samplesSchema),
    next: optional(nextSchema),
    adoption: optional(
      z.strictObject({ generation: z.int(), adopted: z.boolean(), waitingFor: z.array(z.string()) }).nullable(),
    ),
  })
  .openapi('RolloutSnapshot') satisfies z.ZodType<RolloutSnapshot>;
