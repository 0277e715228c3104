import { z } from '@hono/zod-openapi';
import type { Registry, RolloutRow } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { ControlPlane } from '../control-plane.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { checkRolloutStart, startAndAwait } from '../rollout-start.ts';
import { optional } from '../schemas/optional.ts';
import { limitQuery, modelNameSchema } from '../schemas/parameters.ts';
import {
  rolloutListSchema,
  rolloutParams,
  rolloutSchema,
  startRolloutSchema,
  startedRolloutSchema,
} from '../schemas/rollouts.ts';

export interface RolloutDeps {
  readonly registry: Pick<Registry, 'models' | 'versions' | 'rollouts'>;
  readonly control: Pick<ControlPlane, 'startRollout' | 'rolloutStatus'>;
}

const describeRollout = (row: RolloutRow) => ({
  id: row.id,
  model: row.model,
  candidate: row.candidate,
  champion: row.champion,
  phase: row.snapshot?.phase ?? row.phase,
  plan: row.plan,
  snapshot: row.snapshot,
  reason: row.reason,
  workflow_id: row.workflowId,
  run_id: row.runId,
  started_by: row.startedBy,
  started_at: row.startedAt.toISOString(),
  finished_at: row.finishedAt?.toISOString() ?? null,
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The rollout with this id, else the open or latest one of the model with this name.
 * @throws DomainError `notFound`
 */
export async function findRollout(rollouts: Registry['rollouts'], idOrModel: string): Promise<RolloutRow> {
  const row = UUID.test(idOrModel)
    ? await rollouts.find(idOrModel)
    : ((await rollouts.findOpen(idOrModel)) ?? (await rollouts.list({ model: idOrModel, limit: 1 }))[0]);
  if (row === null || row === undefined) {
    throw new DomainError('notFound', `There is no rollout ${idOrModel}, nor one of a model with this name`);
  }
  return row;
}

/** `POST /rollouts`, `GET /rollouts`, `GET /rollouts/{rollout}`. */
export function rolloutOperations(deps: RolloutDeps): readonly Operation[] {
  return [startRollout(deps), listRollouts(deps), showRollout(deps)];
}

const tag = 'Rollouts';

function startRollout({ registry, control }: RolloutDeps): Operation {
  return defineOperation({
    id: 'startRollout',
    idempotent: {},
    method: 'post',
    path: '/rollouts',
    tag,
    summary: 'Roll out a version',
    description:
      'Starts the rollout and answers when it is open, so that `GET /rollouts` shows it. Strategy and plan default to ' +
      'those of the model definition. One rollout per model at a time: 409 names the one that is open.',
    permission: 'admin',
    refusals: ['notFound', 'conflict', 'refused'],
    body: {
      ...checkedBy(startRolloutSchema),
      description: 'What to roll out',
      example: { model: 'churn', version: 2, strategy: 'canary', reason: 'better on the spring data' },
    },
    answers: {
      202: {
        description: 'Started',
        schema: startedRolloutSchema,
        example: {
          rollout_id: '5b0b0c1c-27a5-4f0a-8f0f-6f3c7a4d2e11',
          workflow_id: 'rollout/churn',
          run_id: '01914f3c-3a55-7a2e-8f3a-0e4c1c6b9b42',
        },
      },
    },
    handle: async ({ c, body }) => {
      await checkRolloutStart(registry, body);
      const { plan, ...rest } = body;
      const { rolloutId, workflowId, runId } = await startAndAwait(registry, control, {
        ...rest,
        ...(plan === undefined ? {} : { plan }),
        requestedBy: actorOf(c),
      });
      return answerJson(c, 202, { rollout_id: rolloutId, workflow_id: workflowId, run_id: runId });
    },
  });
}

function listRollouts({ registry }: RolloutDeps): Operation {
  return defineOperation({
    id: 'listRollouts',
    method: 'get',
    path: '/rollouts',
    tag,
    summary: 'List rollouts',
    description: 'Newest first, each with its last recorded state.',
    permission: 'monitor',
    query: z.strictObject({ model: optional(modelNameSchema), limit: limitQuery }),
    answers: { 200: { description: 'The rollouts', schema: rolloutListSchema } },
    handle: async ({ c, query }) => {
      const rows = await registry.rollouts.list(query);
      return answerJson(c, 200, { rollouts: rows.map(describeRollout) });
    },
  });
}

function showRollout({ registry, control }: RolloutDeps): Operation {
  return defineOperation({
    id: 'showRollout',
    method: 'get',
    path: '/rollouts/{rollout}',
    tag,
    summary: 'Show a rollout',
    description:
      'By its id, or by the model: its open rollout, else its latest. An open one is asked for its live state.',
    permission: 'monitor',
    params: rolloutParams,
    refusals: ['notFound'],
    answers: { 200: { description: 'The rollout', schema: rolloutSchema } },
    handle: async ({ c, params }) => {
      const row = await findRollout(registry.rollouts, params.rollout);
      const live = row.finishedAt === null ? await control.rolloutStatus(row.model) : null;
      const snapshot = live?.rolloutId === row.id ? live : row.snapshot;
      return answerJson(c, 200, describeRollout({ ...row, snapshot }));
    },
  });
}
