/** What can be checked before a rollout starts, so that its caller hears it at once and not from a failed workflow. */
import type { Registry, RolloutRow } from '../db/ports.ts';
import { DomainError } from '../domain/errors.ts';
import type { ModelDefinition } from '../domain/definition.ts';
import { checkPlan, overridePlan } from '../domain/rollout/check-plan.ts';
import type { PlanOverrides, Strategy } from '../domain/rollout/plan.ts';
import { basePlan } from '../domain/rollout/strategy-plans.ts';
import { requireModel } from './require-model.ts';
import { requireVersion } from './routes/versions.ts';

export interface RolloutRequest {
  readonly model: string;
  readonly version: number;
  readonly strategy?: Strategy;
  readonly plan?: PlanOverrides;
}

export type StartRegistry = Pick<Registry, 'models' | 'versions' | 'rollouts'>;

/**
 * @throws DomainError `notFound` (model, version), `refused` (gates not passed, already the champion), `conflict`
 *   (naming the open rollout), `invalidInput` (plan)
 */
export async function checkRolloutStart(registry: StartRegistry, request: RolloutRequest): Promise<void> {
  const { model, version } = request;
  const { definition } = await requireModel(registry.models, model);
  const row = await requireVersion(registry, model, version);
  if (row.status !== 'accepted') {
    throw new DomainError('refused', `${model} version ${version} is ${row.status}: only accepted versions roll out`);
  }
  const open = await registry.rollouts.findOpen(model);
  if (open !== null) throw openRollout(open);
  const { champion } = await registry.versions.aliases(model);
  if (champion === version) {
    throw new DomainError('refused', `${model} version ${version} serves as champion already`);
  }
  checkOverrides(definition, request);
}

function checkOverrides(definition: ModelDefinition, { strategy, plan }: RolloutRequest): void {
  if (plan === undefined) return;
  const problems = checkPlan(overridePlan(basePlan(definition.rollout, strategy ?? definition.rollout.strategy), plan));
  if (problems.length > 0) throw new DomainError('invalidInput', 'The plan cannot be rolled out', problems);
}

/** Names the rollout in the way. */
export function openRollout({ id, model, candidate, startedAt, phase }: RolloutRow): DomainError {
  const since = startedAt.toISOString();
  return new DomainError(
    'conflict',
    `Rollout ${id} of ${model} to version ${candidate} is open (${phase}) since ${since}; one at a time`,
  );
}
