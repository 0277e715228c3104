import type { RolloutPlan, Strategy } from '../../../domain/rollout/plan.ts';
import { basePlan } from '../../../domain/rollout/strategy-plans.ts';
import type { ModelDefinition } from '../../../domain/definition.ts';
import type { RolloutModelInput } from '../../../workflows/messages.ts';
import type { StartedRollout } from '../../api/answers.ts';
import type { SluiceApi } from '../../api/sluice-api.ts';
import { CliError, EXIT, type ExitCode } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { readPlanFile } from './plan-file.ts';
import { watchRollout } from './watch.ts';

export interface StartOptions {
  readonly version?: number;
  readonly strategy?: Strategy;
  /** ms */
  readonly bake?: number;
  readonly minRequests?: number;
  /** ms */
  readonly keepWarm?: number;
  /** Path of a file. */
  readonly plan?: string;
  readonly reason?: string;
  readonly watch?: true;
}

export async function startRollout(session: Session, model: string, options: StartOptions): Promise<ExitCode> {
  const api = await session.api();
  const version = options.version ?? (await newestAccepted(api, model));
  const plan = await planOverride(api, model, options);
  const input: RolloutModelInput = {
    model,
    version,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(plan === null ? {} : { plan }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  };
  const started = await api.startRollout(input);
  if (options.watch === true) {
    if (!session.json) session.terminal.note(`Rolling out ${model} version ${version}`);
    return watchRollout(session, openedId(started), { untilFull: false });
  }
  const { style } = session.terminal;
  session.answer({ ...started, model, version }, [
    `${style.green(style.signs.yes)} Rolling out ${style.bold(model)} version ${style.bold(String(version))}`,
    `Next: sluice rollout watch ${model}`,
  ]);
  return EXIT.ok;
}

function openedId({ rollout_id: id, workflow_id: workflow }: StartedRollout): string {
  if (id !== null) return id;
  throw new CliError(EXIT.failed, 'notOpened', 'The rollout has been started, but no worker has taken it up', {
    hint: `Is the worker running? Workflow ${workflow} in the Temporal UI says what happened`,
  });
}

async function newestAccepted(api: SluiceApi, model: string): Promise<number> {
  const versions = await api.versions(model);
  const free = versions.filter((v) => v.status === 'accepted' && !v.aliases.includes('champion'));
  if (free.length > 0) return Math.max(...free.map((v) => v.version));
  const why = versions.length === 0 ? 'it has no versions' : 'no accepted version but the one that is champion already';
  throw new CliError(EXIT.refused, 'nothingToRollOut', `${model} has nothing to roll out: ${why}`, {
    hint: `Train one: sluice train ${model}`,
  });
}

/** `null`: the definition's plan as it is. Bake times are replaced step by step, so the weights have to be known. */
async function planOverride(
  api: SluiceApi,
  model: string,
  options: StartOptions,
): Promise<NonNullable<RolloutModelInput['plan']> | null> {
  if (options.plan !== undefined) {
    const { definition } = await api.model(model);
    return readPlanFile(options.plan, definition, options.strategy);
  }
  const parts = {
    ...(options.bake === undefined ? {} : { steps: await rebaked(api, model, options.bake, options.strategy) }),
    ...(options.minRequests === undefined ? {} : { minRequests: options.minRequests }),
    ...(options.keepWarm === undefined ? {} : { keepWarmMs: options.keepWarm }),
  };
  return Object.keys(parts).length === 0 ? null : parts;
}

async function rebaked(
  api: SluiceApi,
  model: string,
  bakeTimeMs: number,
  strategy: Strategy | undefined,
): Promise<RolloutPlan['steps']> {
  const { definition } = await api.model(model);
  // How long the old version stays after 100 % is --keep-warm's to say.
  return plannedSteps(definition, strategy).map((step) => (step.weightPercent < 100 ? { ...step, bakeTimeMs } : step));
}

function plannedSteps({ rollout }: ModelDefinition, strategy: Strategy | undefined): RolloutPlan['steps'] {
  return basePlan(rollout, strategy ?? rollout.strategy).steps;
}
