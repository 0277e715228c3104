/** Bodies and answers of the ledger, the stop-the-line switch, triggers, outcomes and webhooks. */
import { z } from '@hono/zod-openapi';
import { TRIGGER_KINDS, WEBHOOK_FORMATS } from '../../db/rollout-ports.ts';
import { ROLLOUT_NOTICES } from '../../domain/rollout/notices.ts';
import { optional } from './optional.ts';
import { limitQuery, modelNameSchema, reasonSchema, timestampSchema } from './parameters.ts';
import { verdictSchema } from './rollout-snapshot.ts';
import { routeSchema } from './routing.ts';

/** With an offset or `Z`. */
const momentSchema = z.iso.datetime({ offset: true }).openapi({ example: '2026-03-01T09:30:00Z' });
/** A call for a change says why: it is what people read afterwards. */
const whySchema = reasonSchema.min(1);

export const ledgerQuery = z.strictObject({
  at: optional(momentSchema),
  from: optional(momentSchema),
  to: optional(momentSchema),
  limit: limitQuery,
});

const ledgerEntrySchema = z
  .strictObject({
    model: z.string(),
    generation: z.int(),
    routes: z.array(routeSchema),
    salt: z.string(),
    rollout_id: z.string().nullable(),
    decided_by: z.string(),
    reason: z.string(),
    evidence: verdictSchema.nullable(),
    valid_from: timestampSchema,
    valid_to: timestampSchema.nullable(),
  })
  .openapi('LedgerEntry', { description: 'What served from when to when, who decided it, and what they saw' });

export const ledgerSchema = z.strictObject({ model: z.string(), entries: z.array(ledgerEntrySchema) });

export const releaseBodySchema = z.strictObject({ reason: whySchema }).openapi('ReleaseVersion');
export const releasedSchema = z
  .strictObject({ model: z.string(), version: z.int(), status: z.literal('accepted') })
  .openapi('ReleasedVersion');

export const stopTheLineBodySchema = z
  .strictObject({ active: z.boolean(), reason: whySchema })
  .openapi('SetStopTheLine');
export const stopTheLineSchema = z
  .strictObject({ active: z.boolean(), by: z.string(), reason: z.string(), at: timestampSchema.nullable() })
  .openapi('StopTheLine');

export const triggerBodySchema = z
  .strictObject({ model: optional(modelNameSchema), kind: z.enum(TRIGGER_KINDS), reason: whySchema })
  .openapi('Trigger');
export const triggeredSchema = z
  .strictObject({
    rollouts: z.array(z.strictObject({ rollout_id: z.string(), model: z.string(), told: z.boolean() })),
  })
  .openapi('Triggered', {
    description:
      'The open rollouts that go back. `told` is false where Temporal did not answer: the next look goes back',
  });

/** Alertmanager's webhook, version 4; what else it may send is of no interest here. */
export const alertmanagerSchema = z
  .object({
    version: z.literal('4'),
    status: z.enum(['firing', 'resolved']),
    receiver: optional(z.string()),
    groupKey: optional(z.string()),
    alerts: z
      .array(
        z.object({
          status: z.enum(['firing', 'resolved']),
          labels: z.record(z.string(), z.string()),
          annotations: z.record(z.string(), z.string()).default({}),
          fingerprint: optional(z.string()),
          startsAt: optional(z.string()),
        }),
      )
      .max(1_000),
  })
  .openapi('AlertmanagerWebhook');

const OUTCOMES_MAX = 1_000;
const idSchema = z.union([z.string().min(1).max(200), z.number()]);
const outcomeSchema = z
  .strictObject({
    model: optional(modelNameSchema),
    event: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'letters, digits, dot, dash and underscore')
      .openapi({ example: 'complaint' }),
    value: z.number().default(1).openapi({ description: 'Of the event for its user; 1 for one that just happened' }),
    request_id: optional(z.uuid()),
    entity_id: optional(idSchema),
    occurred_at: optional(momentSchema),
  })
  .openapi('Outcome');
export const outcomesBodySchema = z.union([
  z.strictObject({ outcomes: z.array(outcomeSchema).min(1).max(OUTCOMES_MAX) }),
  outcomeSchema,
]);
export type OutcomeBody = z.output<typeof outcomeSchema>;
export const outcomesAnswerSchema = z.strictObject({ accepted: z.int(), matched: z.int() }).openapi('AcceptedOutcomes');

export const webhookBodySchema = z
  .strictObject({
    url: z.string().min(1).max(2_000).openapi({ example: 'https://hooks.example.com/sluice' }),
    format: z.enum(WEBHOOK_FORMATS).default('standard'),
    events: z.array(z.enum(ROLLOUT_NOTICES)).default([]).openapi({ description: 'None: all' }),
  })
  .openapi('CreateWebhook');
const webhookShape = {
  id: z.string(),
  target: z.string(),
  format: z.enum(WEBHOOK_FORMATS),
  events: z.array(z.string()),
};
export const createdWebhookSchema = z
  .strictObject({
    ...webhookShape,
    secret: z.string().openapi({ description: 'Signs every delivery; shown this once' }),
  })
  .openapi('CreatedWebhook');
export const webhookListSchema = z.strictObject({
  webhooks: z.array(
    z
      .strictObject({
        ...webhookShape,
        created_by: z.string(),
        created_at: timestampSchema,
        last_attempt_at: timestampSchema.nullable(),
        last_outcome: z.string().nullable(),
      })
      .openapi('Webhook'),
  ),
});
export const webhookParams = z.strictObject({ id: z.string().min(1).max(100) });
export const webhookTestSchema = z.strictObject({ delivered: z.boolean(), message: z.string() }).openapi('WebhookTest');
