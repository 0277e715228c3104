import type { Registry } from '../../db/ports.ts';
import { isTrainable } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import { actorOf, auditAfter } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { ControlPlane } from '../control-plane.ts';
import type { Log } from '../log.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { modelParams } from '../schemas/parameters.ts';
import { startedSchema } from '../schemas/rollouts.ts';
import { trainBodySchema, trainingSchema } from '../schemas/training.ts';

export interface TrainingDeps {
  readonly registry: Pick<Registry, 'models' | 'audit'>;
  readonly control: Pick<ControlPlane, 'startTraining' | 'trainingStatus'>;
  readonly log: Log;
}

/** `POST /models/{model}/train`, `GET /models/{model}/train`. */
export function trainingOperations(deps: TrainingDeps): readonly Operation[] {
  const { registry, control, log } = deps;
  const common = { path: '/models/{model}/train', tag: 'Training', params: modelParams } as const;
  return [
    defineOperation({
      ...common,
      id: 'startTraining',
      idempotent: {},
      method: 'post',
      summary: 'Train a new version',
      description:
        'Starts the training and answers at once; the training itself is durable. A version whose gates pass may be ' +
        'rolled out, at once when `rollout` says so.',
      permission: 'admin',
      refusals: ['notFound', 'conflict', 'refused'],
      body: {
        ...checkedBy(trainBodySchema),
        description: 'Everything defaults to the model definition; an empty body will do',
        example: { seed: 42, rollout: { strategy: 'canary' } },
        whenEmpty: {},
      },
      answers: {
        202: {
          description: 'Started',
          schema: startedSchema,
          example: { workflow_id: 'train/churn', run_id: '01914f3c-3a55-7a2e-8f3a-0e4c1c6b9b42' },
        },
      },
      handle: async ({ c, params, body }) => {
        const { name, definition } = await requireModel(registry.models, params.model);
        if (!isTrainable(definition)) {
          throw new DomainError('refused', `${name} has no training data: its versions are imported`);
        }
        const actor = actorOf(c);
        const started = await control.startTraining({ model: name, ...body, requestedBy: actor });
        const details = { ...started, ...body };
        await auditAfter(registry.audit, log, { actor, action: 'training.start', subject: name, details });
        return answerJson(c, 202, { workflow_id: started.workflowId, run_id: started.runId });
      },
    }),
    defineOperation({
      ...common,
      id: 'showTraining',
      method: 'get',
      summary: 'Show the latest training',
      description: 'What the latest training of a model does or did, and how it ended.',
      permission: 'monitor',
      refusals: ['notFound'],
      answers: { 200: { description: 'The training', schema: trainingSchema } },
      handle: async ({ c, params }) => {
        const { name } = await requireModel(registry.models, params.model);
        const { workflowId, runId, ...rest } = await control.trainingStatus(name);
        return answerJson(c, 200, { workflow_id: workflowId, run_id: runId, ...rest });
      },
    }),
  ];
}
