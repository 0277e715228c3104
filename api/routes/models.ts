import type { ModelRow, Registry } from '../../db/ports.ts';
import type { RoutingTable } from '../../domain/routing.ts';
import { definitionDigest, parseDefinition } from '../../models/definition/load.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import { checkedBy, defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { appliedModelSchema, applyModelSchema, modelListSchema, modelSchema } from '../schemas/models.ts';
import { modelParams } from '../schemas/parameters.ts';

const CANARY = {
  strategy: 'canary',
  steps: [
    { weightPercent: 5, bakeTimeMs: 900_000 },
    { weightPercent: 100, bakeTimeMs: 0 },
  ],
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  minRequests: 100,
  observeEveryMs: 30_000,
  keepWarmMs: 3_600_000,
};

export interface ModelDeps {
  readonly registry: Pick<Registry, 'models' | 'versions' | 'routing'>;
}

async function describeModel({ registry }: ModelDeps, row: ModelRow, routing: RoutingTable | null) {
  const [aliases, [newest]] = await Promise.all([
    registry.versions.aliases(row.name),
    registry.versions.list(row.name, 1),
  ]);
  return {
    name: row.name,
    description: row.definition.description,
    aliases,
    // Versions are numbered from 1 and never removed: the newest number is their count.
    versions: newest?.version ?? 0,
    routing: routing === null ? null : { generation: routing.generation, routes: routing.routes },
  };
}

/** `GET /models`, `POST /models`, `GET /models/{model}`. */
export function modelOperations(deps: ModelDeps): readonly Operation[] {
  return [listModels(deps), applyModel(deps), showModel(deps)];
}

function listModels(deps: ModelDeps): Operation {
  const { models, routing } = deps.registry;
  return defineOperation({
    id: 'listModels',
    method: 'get',
    path: '/models',
    tag: 'Models',
    summary: 'List the models',
    description: 'Every model with its aliases and the routing in force.',
    permission: 'monitor',
    answers: { 200: { description: 'The models, by name', schema: modelListSchema } },
    handle: async ({ c }) => {
      const [rows, tables] = await Promise.all([models.list(), routing.all()]);
      const byModel = new Map(tables.map((t) => [t.model, t]));
      const described = await Promise.all(rows.map((row) => describeModel(deps, row, byModel.get(row.name) ?? null)));
      return answerJson(c, 200, { models: described });
    },
  });
}

function applyModel(deps: ModelDeps): Operation {
  return defineOperation({
    id: 'applyModel',
    method: 'post',
    path: '/models',
    tag: 'Models',
    summary: 'Create or change a model',
    description:
      'Checks a model definition and stores it; `sluice apply model.yaml` sends one. What serves does not change: the ' +
      'next training uses the new definition.',
    permission: 'admin',
    body: {
      ...checkedBy(applyModelSchema),
      description: 'The definition in its resolved form',
      example: {
        definition: {
          name: 'churn',
          data: { source: '/data/customers.csv', format: 'csv' },
          target: { column: 'churned', positive: 'yes' },
          rollout: { strategy: 'canary', canary: CANARY, blueGreen: { ...CANARY, strategy: 'blue-green' } },
        },
      },
    },
    answers: { 200: { description: 'Stored', schema: appliedModelSchema } },
    handle: async ({ c, body }) => {
      const definition = parseDefinition(body.definition);
      const row = await deps.registry.models.apply(definition, definitionDigest(definition), actorOf(c));
      return answerJson(c, 200, {
        name: row.name,
        definition_digest: row.definitionDigest,
        updated_at: row.updatedAt.toISOString(),
      });
    },
  });
}

function showModel(deps: ModelDeps): Operation {
  const { models, routing } = deps.registry;
  return defineOperation({
    id: 'showModel',
    method: 'get',
    path: '/models/{model}',
    tag: 'Models',
    summary: 'Show a model',
    description: 'One model with its definition.',
    permission: 'monitor',
    params: modelParams,
    refusals: ['notFound'],
    answers: { 200: { description: 'The model', schema: modelSchema } },
    handle: async ({ c, params }) => {
      const row = await requireModel(models, params.model);
      const described = await describeModel(deps, row, await routing.find(row.name));
      return answerJson(c, 200, {
        ...described,
        definition: row.definition,
        definition_digest: row.definitionDigest,
        updated_at: row.updatedAt.toISOString(),
      });
    },
  });
}
