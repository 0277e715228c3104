import type { RolloutRow } from '../db/ports.ts';
import type { ModelDefinition } from '../domain/definition.ts';
import { DomainError } from '../domain/errors.ts';
import { checkPlan, overridePlan } from '../domain/rollout/check-plan.ts';
import { openState } from '../domain/rollout/open-state.ts';
import type { RolloutPlan, Strategy } from '../domain/rollout/plan.ts';
import { completePlan } from '../domain/rollout/complete-plan.ts';
import { weightOf } from '../domain/rollout/routes.ts';
import { basePlan } from '../domain/rollout/strategy-plans.ts';
import { snapshot } from '../domain/rollout/snapshot.ts';
import type { RoutingTable } from '../domain/routing.ts';
import type { OpenedRollout, OpenRollout } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { requireModel, requireVersion } from './read-model.ts';
import { holdOf, isListening } from './rollout-look.ts';

/**
 * Resolves what a rollout works with and opens its row. Idempotent by the rollout's id.
 * @throws DomainError `notFound`, `invalidInput` (the plan), `refused` (a version that may not be rolled out, recovery not proven),
 *   `conflict` (another rollout is open), `fenced` (another region owns the epoch)
 */
export async function openRollout(deps: ActivityDeps, input: OpenRollout): Promise<OpenedRollout> {
  const { registry } = deps;
  const { model, version, rolloutId, workflowId, runId } = input;
  await deps.requireLease();
  const { definition } = await requireModel(deps, model);
  const { status } = await requireVersion(deps, model, version);
  const plan = resolvePlan(definition, input);
  const aliases = await registry.versions.aliases(model);
  const routing = await registry.routing.find(model);
  const serving = aliases.champion ?? busiest(routing);
  // A retry of an opening that did succeed finds the row it made, whatever happened to the rest since.
  if ((await registry.rollouts.find(rolloutId)) === null) {
    if (status !== 'accepted') throw notAccepted(model, version, status);
    if (version === serving && answersAll(routing, version)) {
      throw new DomainError('refused', `${model} version ${version} is the champion and answers every request already`);
    }
    await deps.requireDrill();
    await closeAbandoned(deps, input);
  }
  // Where the champion itself is named, because its traffic is shared with what a broken rollout left, it gets it all.
  const champion = serving === version ? null : serving;
  if (champion === null && (plan.strategy === 'shadow' || plan.strategy === 'ab')) throw nothingBeside(model, plan);
  const row = { id: rolloutId, model, candidate: version, champion, plan, workflowId, runId };
  await registry.rollouts.open({ ...row, startedBy: input.requestedBy, reason: input.reason ?? null });
  return {
    champion,
    previous: aliases.previous ?? null,
    plan,
    generation: routing?.generation ?? 0,
    routes: routing?.routes ?? [],
    hold: await holdOf(deps, completePlan(plan)),
    listening: await isListening(deps),
  };
}

/** The definition's plan for the strategy, with what the start of the rollout replaces. */
function resolvePlan(
  { rollout }: Pick<ModelDefinition, 'rollout'>,
  input: Pick<OpenRollout, 'strategy' | 'plan'>,
): RolloutPlan {
  const strategy: Strategy = input.strategy ?? rollout.strategy;
  const plan = overridePlan(basePlan(rollout, strategy), input.plan);
  const problems = checkPlan(plan);
  if (problems.length > 0) throw new DomainError('invalidInput', 'This plan cannot be used', problems);
  return plan;
}

/** A rollout whose workflow was terminated never closed its row; it must not block the model for ever. */
async function closeAbandoned({ registry, isRunning }: ActivityDeps, input: OpenRollout): Promise<void> {
  const open = await registry.rollouts.findOpen(input.model);
  if (open === null || open.id === input.rolloutId) return;
  // Temporal runs one workflow per id: an older run under this id is over.
  const over = open.workflowId === input.workflowId || !(await isRunning(open.workflowId, open.runId));
  if (!over) return;
  const reason = 'its workflow ended without closing it';
  await registry.rollouts.close(open.id, { ...lastSeen(open), phase: 'aborted', reason }, reason);
}

function lastSeen(row: RolloutRow) {
  if (row.snapshot !== null) return row.snapshot;
  const { id: rolloutId, model, candidate, champion, plan, startedBy: requestedBy } = row;
  const nowMs = row.startedAt.getTime();
  const unknown = { previous: null, salt: '', generation: 0, routes: [] };
  return snapshot(openState({ rolloutId, model, candidate, champion, plan, requestedBy, nowMs, ...unknown }), nowMs);
}

function busiest(routing: RoutingTable | null): number | null {
  const routes = routing?.routes ?? [];
  const versions = [...new Set(routes.map((r) => r.version))];
  return versions.sort((a, b) => weightOf(routes, b) - weightOf(routes, a))[0] ?? null;
}

function answersAll(routing: RoutingTable | null, version: number): boolean {
  return routing !== null && weightOf(routing.routes, version) === 100;
}

function nothingBeside(model: string, { strategy }: RolloutPlan): DomainError {
  return new DomainError('refused', `${model} has no champion: there is nothing to compare a version with`, [
    { field: 'strategy', message: `${strategy} needs a champion`, allowed: ['canary', 'all-at-once'] },
  ]);
}

function notAccepted(model: string, version: number, status: string): DomainError {
  const why = {
    validating: 'its gates are still running',
    rejected: 'its gates failed',
    quarantined: 'it is quarantined',
  }[status];
  return new DomainError('refused', `${model} version ${version} may not be rolled out: ${why ?? status}`, [
    { field: 'version', message: `version ${version} is ${status}`, allowed: ['a version that is accepted'] },
  ]);
}
