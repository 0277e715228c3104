import { randomUUID } from 'node:crypto';
import type { Notifier, WebhookSecrets } from '../../adapters/webhooks/create-notifier.ts';
import { urlProblems } from '../../adapters/webhooks/post-json.ts';
import type { Sealer } from '../../adapters/webhooks/sealer.ts';
import { createWebhookSecret } from '../../adapters/webhooks/signature.ts';
import type { Registry } from '../../db/ports.ts';
import type { WebhookRow } from '../../db/rollout-ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { RolloutNotice } from '../../domain/rollout/notices.ts';
import { actorOf } from '../actor.ts';
import { answer, answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import {
  createdWebhookSchema,
  webhookBodySchema,
  webhookListSchema,
  webhookParams,
  webhookTestSchema,
} from '../schemas/rollout-controls.ts';

/** What makes, seals and delivers. */
export interface Webhooks {
  readonly sealer: Pick<Sealer, 'seal'>;
  readonly notifier: Pick<Notifier, 'deliver'>;
  readonly allowPrivate: boolean;
}

export interface WebhookDeps {
  readonly registry: Pick<Registry, 'webhooks'>;
  readonly webhooks: Webhooks;
  readonly now: () => number;
}

const describeWebhook = (row: WebhookRow) => ({
  id: row.id,
  target: row.target,
  format: row.format,
  events: row.events,
  created_by: row.createdBy,
  created_at: row.createdAt.toISOString(),
  last_attempt_at: row.lastAttemptAt?.toISOString() ?? null,
  last_outcome: row.lastOutcome,
});

const notFound = () => new DomainError('notFound', 'There is no webhook with this id; GET /webhooks lists them');

/** `POST /webhooks`, `GET /webhooks`, `DELETE /webhooks/{id}`, `POST /webhooks/{id}/test`. */
export function webhookOperations(deps: WebhookDeps): readonly Operation[] {
  return [createWebhook(deps), listWebhooks(deps), removeWebhook(deps), testWebhook(deps)];
}

const common = { tag: 'Webhooks', permission: 'admin' } as const;

function createWebhook({ registry, webhooks }: WebhookDeps): Operation {
  return defineOperation({
    ...common,
    id: 'createWebhook',
    method: 'post',
    path: '/webhooks',
    summary: 'Be told what rollouts do',
    description:
      'Deliveries follow Standard Webhooks: JSON, signed with the secret of this answer, which is shown nowhere else. ' +
      'With the format `slack` they are messages for an incoming webhook of Slack. Addresses inside this network are ' +
      'refused unless the platform is configured to allow them; redirects are not followed.',
    body: {
      ...checkedBy(webhookBodySchema),
      description: 'Where to, and what about',
      example: { url: 'https://hooks.example.com/sluice', events: ['rollout.approvalNeeded', 'rollout.rollback'] },
    },
    answers: { 201: { description: 'Made', schema: createdWebhookSchema } },
    handle: async ({ c, body }) => {
      const { url, format } = body;
      const problems = urlProblems(url, webhooks);
      if (problems.length > 0) throw new DomainError('invalidInput', 'This address cannot be called', problems);
      const secret = createWebhookSecret();
      const sealed = await webhooks.sealer.seal(JSON.stringify({ url, secret } satisfies WebhookSecrets));
      // The path stays out of lists and logs: Slack's addresses carry their secret there.
      const target = `${new URL(url).origin}/…`;
      const events = [...new Set(body.events)];
      const id = randomUUID();
      await registry.webhooks.create({ id, target, format, sealed, events, createdBy: actorOf(c) });
      return answerJson(c, 201, { id, target, format, events, secret });
    },
  });
}

function listWebhooks({ registry }: WebhookDeps): Operation {
  return defineOperation({
    ...common,
    id: 'listWebhooks',
    method: 'get',
    path: '/webhooks',
    summary: 'List the webhooks',
    description: 'Each with how its last delivery ended; never an address in full, never a secret.',
    answers: { 200: { description: 'The webhooks', schema: webhookListSchema } },
    handle: async ({ c }) => answerJson(c, 200, { webhooks: (await registry.webhooks.list()).map(describeWebhook) }),
  });
}

function removeWebhook({ registry }: WebhookDeps): Operation {
  return defineOperation({
    ...common,
    id: 'removeWebhook',
    method: 'delete',
    path: '/webhooks/{id}',
    summary: 'Remove a webhook',
    description: 'Nothing is delivered to it from now on.',
    params: webhookParams,
    refusals: ['notFound'],
    answers: { 204: { description: 'Removed' } },
    handle: async ({ c, params }) => {
      if (!(await registry.webhooks.remove(params.id, actorOf(c)))) throw notFound();
      return answer(c, 204, null, null);
    },
  });
}

function testWebhook({ registry, webhooks, now }: WebhookDeps): Operation {
  return defineOperation({
    ...common,
    id: 'testWebhook',
    method: 'post',
    path: '/webhooks/{id}/test',
    inAnyRegion: true,
    summary: 'Send a test delivery',
    description: 'One delivery, signed like all others, whatever the webhook listens to; the answer says how it ended.',
    params: webhookParams,
    refusals: ['notFound'],
    answers: { 200: { description: 'Tried', schema: webhookTestSchema } },
    handle: async ({ c, params }) => {
      const row = await registry.webhooks.find(params.id);
      if (row === null) throw notFound();
      try {
        await webhooks.notifier.deliver(row, testNotice(now()));
        return answerJson(c, 200, { delivered: true, message: `${row.target} took it` });
      } catch (error) {
        if (!(error instanceof DomainError)) throw error;
        return answerJson(c, 200, { delivered: false, message: error.message });
      }
    },
  });
}

function testNotice(nowMs: number): RolloutNotice {
  const id = randomUUID();
  return {
    id: `test/${id}`,
    kind: 'rollout.step',
    rolloutId: id,
    model: 'test',
    candidate: 1,
    champion: null,
    phase: 'running',
    weightPercent: 0,
    message: 'A test delivery of Sluice: nothing has happened',
    reason: null,
    atMs: nowMs,
  };
}
