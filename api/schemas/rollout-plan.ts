import { z } from '@hono/zod-openapi';
import { APPROVER_ROLES } from '../../domain/approver-role.ts';
import { WEEKDAYS } from '../../domain/calendar.ts';
import { ADVANCE_RULES, MAX_WAIT_POLICIES, METRICS, STRATEGIES } from '../../domain/rollout/plan.ts';
import type { PlanOverrides, RolloutPlan } from '../../domain/rollout/plan.ts';
import { optional } from './optional.ts';

export const strategySchema = z.enum(STRATEGIES);
export const approverRoleSchema = z.enum(APPROVER_ROLES);

export const approvalRuleShape = {
  role: approverRoleSchema,
  persons: z.union([z.literal(1), z.literal(2)]),
  expiresAfterMs: z.number(),
  onReject: optional(z.enum(['rollback', 'hold'])),
};

const stepSchema = z.strictObject({
  weightPercent: z.number(),
  bakeTimeMs: z.number(),
  maxWaitMs: optional(z.number()),
  onMaxWait: optional(z.enum(MAX_WAIT_POLICIES)),
  approvals: optional(z.array(z.strictObject(approvalRuleShape))),
});

const metricSchema = z.strictObject({
  metric: z.enum(METRICS),
  event: optional(z.string()),
  action: z.enum(['rollback', 'watch']),
  degradationMax: optional(z.number()),
  better: optional(z.enum(['higher', 'lower'])),
});

const calendarSchema = z.strictObject({
  timeZone: z.string(),
  windows: z.array(z.strictObject({ days: z.array(z.enum(WEEKDAYS)), from: z.string(), to: z.string() })),
  holidays: z.array(z.string()),
});

const choices = {
  advance: optional(z.enum(ADVANCE_RULES)),
  baseline: optional(z.boolean()),
  alpha: optional(z.number()),
  warmUpRequests: optional(z.number()),
  metrics: optional(z.array(metricSchema)),
  calendar: optional(calendarSchema.nullable()),
  mirrorPercent: optional(z.number()),
  endsAtMs: optional(z.number().nullable()),
};
const numbers = { minRequests: z.number(), observeEveryMs: z.number(), keepWarmMs: z.number() };
const limits = { errorRateMax: z.number(), p95MsMax: z.number() };
const shadowLimits = {
  disagreementMax: optional(z.number()),
  scoreShiftMax: optional(z.number()),
  slowerMsMax: optional(z.number()),
};

export const planSchema = z
  .strictObject({
    strategy: strategySchema,
    steps: z.array(stepSchema),
    ...numbers,
    limits: z.strictObject({ ...limits, ...shadowLimits }),
    ...choices,
  })
  .openapi('RolloutPlan', { description: 'Durations in milliseconds' }) satisfies z.ZodType<RolloutPlan>;

/** The shape only: the ranges are the domain's (`checkPlan`), the same for everyone who starts a rollout. */
export const planOverridesSchema = z
  .strictObject({
    steps: optional(z.array(stepSchema)),
    minRequests: optional(numbers.minRequests),
    observeEveryMs: optional(numbers.observeEveryMs),
    keepWarmMs: optional(numbers.keepWarmMs),
    limits: optional(
      z.strictObject({
        errorRateMax: optional(limits.errorRateMax),
        p95MsMax: optional(limits.p95MsMax),
        ...shadowLimits,
      }),
    ),
    ...choices,
  })
  .openapi('PlanOverrides', {
    description: "Replaces parts of the definition's plan for this rollout",
  }) satisfies z.ZodType<PlanOverrides>;
