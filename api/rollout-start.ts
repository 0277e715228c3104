/** What can be checked before a rollout starts, so that its caller hears it at once and not from a failed workflow. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Registry, RolloutRow } from '../db/ports.ts';
import { DomainError } from '../domain/errors.ts';
import type { ModelDefinition } from '../domain/definition.ts';
import { checkPlan, overridePlan } from '../domain/rollout/check-plan.ts';
import type { PlanOverrides, Strategy } from '../domain/rollout/plan.ts';
import { basePlan } from '../domain/rollout/strategy-plans.ts';
import type { RolloutModelInput } from '../workflows/messages.ts';
import type { ControlPlane, StartedWorkflow } from './control-plane.ts';
import { requireModel } from './require-model.ts';
import { requireVersion } from './routes/versions.ts';

export interface RolloutRequest {
  readonly model: string;
  readonly version: number;
  readonly strategy?: Strategy;
  readonly plan?: PlanOverrides;
}

const QUARANTINED = 'was taken back and may not be rolled out again until somebody releases it';

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
    const release = row.status === 'quarantined' ? [{ field: 'version', message: QUARANTINED }] : [];
    throw new DomainError(
      'refused',
      `${model} version ${version} is ${row.status}: only accepted versions roll out`,
      release,
    );
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
    [{ field: 'model', message: `rollout ${id} must end before another one starts` }],
  );
}

/** A worker takes a workflow up within a second; this long without one, nobody works. */
const OPENED_WITHIN_MS = 8_000;
/** The one that was faster opened its row by then, or fails. */
const RIVAL_WITHIN_MS = 2_000;
const OPENED_POLL_MS = 50;
/** Newest rollouts of a model among which a new one is looked for. */
const RECENT_MAX = 5;

export interface StartedRollout extends StartedWorkflow {
  /** `null`: no worker has opened it yet. */
  readonly rolloutId: string | null;
}

/**
 * Starts a rollout and waits, for a bounded time, until its row is there, so that whoever asks next finds it.
 * @throws DomainError `conflict` naming the open rollout, and what `startRollout` throws
 */
export async function startAndAwait(
  { rollouts }: Pick<Registry, 'rollouts'>,
  control: Pick<ControlPlane, 'startRollout'>,
  input: RolloutModelInput,
): Promise<StartedRollout> {
  const { model } = input;
  let started: StartedWorkflow;
  try {
    started = await control.startRollout(input);
  } catch (error) {
    // The workflow of another start runs: its row says more than its workflow's id.
    const open = isConflict(error) ? await awaitRow(() => rollouts.findOpen(model), RIVAL_WITHIN_MS) : null;
    throw open === null ? error : openRollout(open);
  }
  const { runId } = started;
  const row = await awaitRow(async () => {
    const recent = await rollouts.list({ model, limit: RECENT_MAX });
    return recent.find((r) => r.runId === runId) ?? null;
  }, OPENED_WITHIN_MS);
  return { ...started, rolloutId: row?.id ?? null };
}

const isConflict = (error: unknown): boolean => error instanceof DomainError && error.code === 'conflict';

async function awaitRow(read: () => Promise<RolloutRow | null>, withinMs: number): Promise<RolloutRow | null> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const row = await read();
    if (row !== null || performance.now() > endMs) return row;
    await sleep(OPENED_POLL_MS);
  }
}
