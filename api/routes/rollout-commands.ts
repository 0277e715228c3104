import type { Context } from 'hono';
import type { Registry } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { RolloutCommandName } from '../../workflows/messages.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { AppEnv } from '../app-env.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { checkRolloutStart, openRollout } from '../rollout-start.ts';
import { commandAnswerSchema, commandBodySchema, commandParams, rollbackStartedSchema } from '../schemas/rollouts.ts';
import { findRollout } from './rollouts.ts';

export interface RolloutCommandDeps {
  readonly registry: Pick<Registry, 'models' | 'versions' | 'rollouts' | 'audit'>;
  readonly control: Pick<ControlPlane, 'startRollout' | 'rolloutCommand'>;
  readonly log: Log;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

interface Target {
  readonly model: string;
  /** False when the id names a rollout that has ended: a command must not reach another one in its place. */
  readonly mayRun: boolean;
}

/** A model's name is used as it is, so that an abort needs no database. */
async function targetOf(registry: RolloutCommandDeps['registry'], idOrModel: string): Promise<Target> {
  if (!UUID.test(idOrModel)) return { model: idOrModel, mayRun: true };
  const row = await findRollout(registry.rollouts, idOrModel);
  if (row.finishedAt === null) return { model: row.model, mayRun: true };
  const open = await registry.rollouts.findOpen(row.model);
  if (open !== null) throw openRollout(open);
  return { model: row.model, mayRun: false };
}

/** `POST /rollouts/{rollout}/{command}`. */
export function rolloutCommandOperations(deps: RolloutCommandDeps): readonly Operation[] {
  const { registry, control } = deps;
  return [
    defineOperation({
      id: 'commandRollout',
      method: 'post',
      path: '/rollouts/{rollout}/{command}',
      tag: 'Rollouts',
      summary: 'Promote, pause, resume, abort or roll back',
      description:
        'Sends a command to the rollout with this id, or to the one of the model with this name, and answers with the ' +
        'state after it. A command that no worker takes within ten seconds expires: it is not applied later. `rollback` ' +
        'with nothing running starts a rollout, all at once, back to the version that served before (202).',
      permission: 'admin',
      params: commandParams,
      refusals: ['notFound', 'conflict', 'refused', 'invalidInput'],
      body: {
        ...checkedBy(commandBodySchema),
        description: 'Why; an empty body will do',
        example: { reason: 'complaints from support' },
        whenEmpty: {},
      },
      answers: {
        200: { description: 'Applied', schema: commandAnswerSchema },
        202: { description: 'A rollout back to the previous version was started', schema: rollbackStartedSchema },
      },
      handle: async ({ c, params, body }) => {
        const { command } = params;
        const actor = actorOf(c);
        const { model, mayRun } = await targetOf(registry, params.rollout);
        const outcome = mayRun
          ? await control.rolloutCommand(model, command, { by: actor, ...body })
          : ({ kind: 'notRunning' } as const);
        switch (outcome.kind) {
          case 'applied': {
            const details = { rolloutId: outcome.status.rolloutId };
            const entry = { actor, action: `rollout.${command}`, subject: model, details, ...body };
            await auditAfter(registry.audit, deps.log, entry);
            return answerJson(c, 200, { applied: command, status: outcome.status });
          }
          case 'expired':
            throw expired(command, model);
          case 'notRunning':
            return withNothingRunning(c, deps, model, command, body.reason);
        }
      },
    }),
  ];
}

function expired(command: RolloutCommandName, model: string): DomainError {
  return new DomainError(
    'unavailable',
    `No worker took the ${command} of ${model} within ten seconds. It has expired and will not be applied later`,
  );
}

async function withNothingRunning(
  c: Context<AppEnv>,
  { registry, control }: RolloutCommandDeps,
  name: string,
  command: RolloutCommandName,
  reason: string | undefined,
): Promise<Response> {
  const { name: model } = await requireModel(registry.models, name);
  if (command !== 'rollback') {
    throw new DomainError('refused', `No rollout of ${model} is running, so there is nothing to ${command}`);
  }
  const { previous } = await registry.versions.aliases(model);
  if (previous === undefined) {
    throw new DomainError('refused', `${model} has no previous version to roll back to`);
  }
  await checkRolloutStart(registry, { model, version: previous });
  const { workflowId, runId } = await control.startRollout({
    model,
    version: previous,
    strategy: 'all-at-once',
    requestedBy: actorOf(c),
    reason: reason ?? `rolled back by hand to version ${previous}`,
  });
  const started = { workflow_id: workflowId, run_id: runId };
  return answerJson(c, 202, { applied: 'rollback', status: null, version: previous, ...started });
}
