import { createHash, randomUUID } from 'node:crypto';
import type { Registry } from '../../db/ports.ts';
import type { TriggerKind } from '../../db/rollout-ports.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { alertmanagerSchema, triggerBodySchema, triggeredSchema } from '../schemas/rollout-controls.ts';

/** Open rollouts, one per model. */
const OPEN_MAX = 1_000;
const REASON_LENGTH_MAX = 500;
/** Of an alert: the model it is about. An alert without it is about all of them. */
const MODEL_LABEL = 'model';

export interface TriggerDeps {
  readonly registry: Pick<Registry, 'models' | 'rollouts' | 'controls'>;
  readonly control: Pick<ControlPlane, 'triggerRollout'>;
  readonly log: Log;
}

interface Raised {
  readonly id: string;
  readonly model: string | null;
  readonly kind: TriggerKind;
  readonly reason: string;
  readonly by: string;
}

/** Written down first: a rollout that cannot be told now finds it at its next look. */
async function raise({ registry, control, log }: TriggerDeps, trigger: Raised) {
  await registry.controls.raise(trigger);
  const open = (
    trigger.model === null
      ? (await registry.rollouts.list({ limit: OPEN_MAX })).filter((r) => r.finishedAt === null)
      : [await registry.rollouts.findOpen(trigger.model)]
  ).filter((row) => row !== null);
  const { kind, reason, by } = trigger;
  return Promise.all(
    open.map(async ({ id, model }) => {
      const told = await control.triggerRollout(model, { kind, reason, by }).catch((error: unknown) => {
        log.warn({ err: error, model, rolloutId: id }, 'a rollout was not told of a trigger; its next look finds it');
        return false;
      });
      return { rollout_id: id, model, told };
    }),
  );
}

/** `POST /triggers`, `POST /triggers/alertmanager`. */
export function triggerOperations(deps: TriggerDeps): readonly Operation[] {
  return [raiseTrigger(deps), takeAlerts(deps)];
}

const common = { tag: 'Rollouts', method: 'post', permission: 'admin' } as const;

function raiseTrigger(deps: TriggerDeps): Operation {
  return defineOperation({
    ...common,
    id: 'raiseTrigger',
    path: '/triggers',
    summary: 'Send open rollouts back',
    description:
      'For incidents that no counter shows. The open rollout of the model, or of every model when none is named, goes ' +
      'back at once, whatever its evidence says; its version is quarantined.',
    refusals: ['notFound'],
    body: {
      ...checkedBy(triggerBodySchema),
      description: 'What happened',
      example: { model: 'churn', kind: 'security', reason: 'the training data of version 7 were tampered with' },
    },
    answers: { 202: { description: 'Raised', schema: triggeredSchema } },
    handle: async ({ c, body }) => {
      const { model = null, kind, reason } = body;
      if (model !== null) await requireModel(deps.registry.models, model);
      const rollouts = await raise(deps, { id: randomUUID(), model, kind, reason, by: actorOf(c) });
      return answerJson(c, 202, { rollouts });
    },
  });
}

function takeAlerts(deps: TriggerDeps): Operation {
  return defineOperation({
    ...common,
    id: 'takeAlerts',
    path: '/triggers/alertmanager',
    summary: 'Take alerts from Alertmanager',
    description:
      "The webhook of Prometheus' Alertmanager, version 4. Every firing alert sends the open rollout of the model in " +
      'its label `model` back, or all of them when it has none. Resolved alerts do nothing.',
    body: {
      ...checkedBy(alertmanagerSchema),
      description: 'As Alertmanager sends it',
      example: {
        version: '4',
        status: 'firing',
        alerts: [{ status: 'firing', labels: { alertname: 'HighErrorRate', model: 'churn' }, annotations: {} }],
      },
    },
    answers: { 202: { description: 'Taken', schema: triggeredSchema } },
    handle: async ({ c, body }) => {
      const by = actorOf(c);
      const firing = body.alerts.filter((alert) => alert.status === 'firing');
      const raised = await Promise.all(firing.map((alert) => raise(deps, { ...toTrigger(alert), by })));
      const byId = new Map(raised.flat().map((r) => [r.rollout_id, r]));
      return answerJson(c, 202, { rollouts: [...byId.values()] });
    },
  });
}

interface Alert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly fingerprint?: string;
  readonly startsAt?: string;
}

/** Alertmanager repeats an alert while it fires: the same one is the same trigger, and is written down once. */
function toTrigger({ labels, annotations, fingerprint, startsAt }: Alert): Omit<Raised, 'by'> {
  const name = labels['alertname'] ?? 'alert';
  const said = annotations['summary'] ?? annotations['description'];
  const reason = (said === undefined ? name : `${name}: ${said}`).slice(0, REASON_LENGTH_MAX);
  const id =
    fingerprint === undefined || startsAt === undefined ? randomUUID() : uuidOf(`alert/${fingerprint}/${startsAt}`);
  return { id, model: labels[MODEL_LABEL] ?? null, kind: 'alert', reason };
}

function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
