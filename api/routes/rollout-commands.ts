import type { Context } from 'hono';
import type { Registry, RolloutRow } from '../../db/ports.ts';
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
import { checkRolloutStart, openRollout, startAndAwait } from '../rollout-start.ts';
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
  /** The rollout that an id names when it has ended: a command must not reach another one in its place. */
  readonly ended: RolloutRow | null;
}

/** A model's name is used as it is, so that an abort needs no database. */
async function targetOf(registry: RolloutCommandDeps['registry'], idOrModel: string): Promise<Target> {
  if (!UUID.test(idOrModel)) return { model: idOrModel, ended: null };
  const row = await findRollout(registry.rollouts, idOrModel);
  if (row.finishedAt === null) return { model: row.model, ended: null };
  const open = await registry.rollouts.findOpen(row.model);
  if (open !== null) throw openRollout(open);
  return { model: row.model, ended: row };
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
      summary: 'Promote, pause, resume, freeze, skip the bake time, abort or roll back',
      description:
        'Sends a command to the rollout with this id, or to the one of the model with this name, and answers with the ' +
        'state after it. A command that no worker takes within ten seconds expires: it is not applied later. `pause` ' +
        'takes no further step, `freeze` not even one back, until `resume`; `skip-bake` goes on without the rest of the ' +
        'bake time. `rollback` with nothing running starts a rollout, all at once, back to the version that served ' +
        'before (202); of a finished rollout, named by its id, back to what served before it, even if that was ' +
        'quarantined: the order releases it.',
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
        const command = params.command === 'skip-bake' ? 'skipBake' : params.command;
        const actor = actorOf(c);
        const { model, ended } = await targetOf(registry, params.rollout);
        const outcome =
          ended === null
            ? await control.rolloutCommand(model, command, { by: actor, ...body })
            : ({ kind: 'notRunning' } as const);
        switch (outcome.kind) {
          case 'applied': {
            const details = { rolloutId: outcome.status.rolloutId, evidence: outcome.status.verdict };
            const entry = { actor, action: `rollout.${command}`, subject: model, details, ...body };
            await auditAfter(registry.audit, deps.log, entry);
            return answerJson(c, 200, { applied: command, status: outcome.status });
          }
          case 'expired':
            throw expired(command, model);
          case 'notRunning':
            return withNothingRunning(c, deps, { model, ended }, command, body.reason);
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
  target: Target,
  command: RolloutCommandName,
  reason: string | undefined,
): Promise<Response> {
  const { name: model } = await requireModel(registry.models, target.model);
  if (command !== 'rollback') {
    throw new DomainError('refused', `No rollout of ${model} is running, so there is nothing to ${command}`);
  }
  const by = actorOf(c);
  const { version, why } = await wayBack(registry, model, target.ended);
  const row = await registry.versions.find(model, version);
  if (row?.status === 'quarantined') {
    await registry.versions.settle(model, version, 'accepted', { by, reason: `released by the order: ${why}` });
  }
  await checkRolloutStart(registry, { model, version });
  const { rolloutId, workflowId, runId } = await startAndAwait(registry, control, {
    model,
    version,
    strategy: 'all-at-once',
    requestedBy: by,
    reason: reason ?? why,
  });
  const started = { rollout_id: rolloutId, workflow_id: workflowId, run_id: runId };
  return answerJson(c, 202, { applied: 'rollback', status: null, version, ...started });
}

/** Which version a rollback leads to when nothing runs. */
async function wayBack(
  { versions }: RolloutCommandDeps['registry'],
  model: string,
  ended: RolloutRow | null,
): Promise<{ readonly version: number; readonly why: string }> {
  const { champion, previous } = await versions.aliases(model);
  if (ended === null) {
    if (previous === undefined) throw new DomainError('refused', `${model} has no previous version to roll back to`);
    return { version: previous, why: `rolled back by hand to version ${previous}` };
  }
  const promoted = ended.phase === 'promoted';
  const [left, back] = promoted ? [ended.candidate, ended.champion] : [ended.champion, ended.candidate];
  if (back === null) {
    throw new DomainError('refused', `Rollout ${ended.id} was the first of ${model}: there is nothing to go back to`);
  }
  if (champion !== left) {
    throw new DomainError(
      'refused',
      `Rollout ${ended.id} left version ${left ?? 'none'} of ${model} as champion, which is version ${champion ?? 'none'} by now`,
      [
        {
          field: 'rollout',
          message: 'others have changed the champion since; start a rollout of the version you mean',
        },
      ],
    );
  }
  return { version: back, why: `rollout ${ended.id} (${ended.phase}) rolled back by hand to version ${back}` };
}
