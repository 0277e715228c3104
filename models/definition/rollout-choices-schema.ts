import { z } from 'zod';
import { APPROVER_ROLES } from '../../domain/approver-role.ts';
import { WEEKDAYS, type Calendar } from '../../domain/calendar.ts';
import { ADVANCE_RULES, MAX_WAIT_POLICIES, METRICS } from '../../domain/rollout/plan.ts';
import type { ApprovalRule, MetricRule } from '../../domain/rollout/plan.ts';
import { durationSchema } from './duration.ts';

const HOUR_MS = 3_600_000;
/** An approval is a word on the evidence of a day, where the plan does not say otherwise. */
const APPROVAL_EXPIRES_MS = 24 * HOUR_MS;

export const advance = z
  .enum(ADVANCE_RULES)
  .describe('What a step needs before it may end: healthy (shown within its limits) or noHarm (nothing against it).');
export const onMaxWait = z
  .enum(MAX_WAIT_POLICIES)
  .describe('What happens then: hold (wait on), ask (pause until a person decides) or rollback.');
export const maxWait = durationSchema.describe(
  'How long a step waits for evidence, traffic and approvals, for example 1d. Default: without limit.',
);

const role = z.enum(APPROVER_ROLES).describe('Who has to agree.');
const persons = z.union([z.literal(1), z.literal(2)]).describe('2: two different persons.');
const onReject = z.enum(['rollback', 'hold']).describe('What a rejection does. Default: rollback.');

/** As a person writes it: a role, or an object. */
export const approvalFromFile = z.union([
  role.transform((name): ApprovalRule => ({ role: name, persons: 1, expiresAfterMs: APPROVAL_EXPIRES_MS })),
  z
    .strictObject({
      role,
      persons: persons.default(1),
      expiresAfter: durationSchema.prefault('24h').describe('An approval older than this is void.'),
      onReject: onReject.exactOptional(),
    })
    .transform(({ expiresAfter: expiresAfterMs, ...rule }): ApprovalRule => ({ ...rule, expiresAfterMs })),
]);
export const approvalResolved = z.strictObject({
  role,
  persons,
  expiresAfterMs: z.int(),
  onReject: onReject.exactOptional(),
}) satisfies z.ZodType<ApprovalRule>;

const action = z.enum(['rollback', 'watch']).describe('watch: shown and recorded, decides nothing.');
const metricParts = {
  metric: z.enum(METRICS),
  event: z.string().min(1).max(100).exactOptional().describe('Of the metric outcome: the event, as it is reported.'),
  degradationMax: z
    .number()
    .gt(0)
    .max(1)
    .exactOptional()
    .describe('The relative loss that is too much, for example 0.05.'),
  better: z.enum(['higher', 'lower']).exactOptional().describe('Of an outcome; a complaint is lower. Default: higher.'),
};
export const metricsFromFile = z
  .array(z.strictObject({ ...metricParts, action: action.default('rollback') }))
  .min(1)
  .describe('What is watched. Default: error rate and p95, absolute and against the baseline, and the scores (watch).');
export const metricsResolved = z.array(z.strictObject({ ...metricParts, action })) satisfies z.ZodType<
  readonly MetricRule[]
>;

const timeOfDay = z.string().describe('Local time HH:MM.');
const calendarWindow = z.strictObject({ days: z.array(z.enum(WEEKDAYS)).min(1), from: timeOfDay, to: timeOfDay });
export const calendar = z
  .strictObject({
    timeZone: z.string().default('UTC').describe('For example Europe/Vienna.'),
    windows: z.array(calendarWindow).default([]).describe('When steps may be taken. Default: always.'),
    holidays: z.array(z.string()).default([]).describe('Days without steps, as YYYY-MM-DD.'),
  })
  .describe('Steps wait outside these times; a rollback never does.') satisfies z.ZodType<Calendar>;

export const alpha = z.number().min(1e-6).max(0.2).describe('Probability of rolling back a version within its limits.');
export const warmUpRequests = z.int().min(0).max(1_000_000).describe('Requests of each arm that do not count.');
export const baseline = z
  .boolean()
  .describe("Compare with an equally large part of the champion's traffic, counted apart. Default: in a canary.");
export const mirrorPercent = z.number().gt(0).max(100).describe('Share of the requests that are copied to the shadow.');
