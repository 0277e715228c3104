import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TrainAnswer } from '../../cli/api/answers.ts';
import type { SluiceApi } from '../../cli/api/sluice-api.ts';
import { loadDefinition } from '../../models/definition/load.ts';
import type { TrainModelResult } from '../../workflows/messages.ts';
import type { Progress, Step } from './progress.ts';

/** What the first run asks of the platform; all of it any user can do with the command line. */
export type FirstRunApi = Pick<
  SluiceApi,
  'models' | 'applyModel' | 'startTraining' | 'training' | 'rollouts' | 'startRollout'
>;

export interface FirstRunOptions {
  readonly home: string;
  /** Path of the example's model.yaml. */
  readonly example: string;
  readonly api: FirstRunApi;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
  readonly routedTimeoutMs?: number;
}

export type FirstRunOutcome =
  | { readonly kind: 'notNeeded' }
  | { readonly kind: 'served'; readonly model: string }
  | { readonly kind: 'failed'; readonly model: string | null; readonly reason: string };

const POLL_MS = 500;
/** The first version of a model takes all traffic at once; its rollout only has to check and to load it. */
const ROUTED_TIMEOUT_MS = 120_000;
/** Longer than this without an answer is an outage, not a restart of the API. */
const AWAY_MAX_MS = 60_000;

const markerOf = (home: string): string => join(home, 'first-run-open');

/**
 * While the registry is empty, or an earlier first run was cut off: applies the example, trains it through the real
 * workflow, and waits until it serves. Every step looks at what is there before it acts, so that it goes on where an
 * interrupted one stopped. Never throws but for an abort.
 */
export async function firstRun(options: FirstRunOptions): Promise<FirstRunOutcome> {
  const { home, api } = options;
  const marker = markerOf(home);
  let model: string | null = null;
  let step: Step | null = null;
  try {
    if (!existsSync(marker) && (await api.models()).length > 0) return { kind: 'notNeeded' };
    writeFileSync(marker, '');
    step = options.progress.step('Example');
    const definition = await loadDefinition(options.example);
    model = definition.name;
    const outcome = await trainAndServe(model, () => api.applyModel(definition), options, step);
    if (outcome === null) step.done(`${model} is served`);
    else step.fail('not served');
    rmSync(marker, { force: true });
    return outcome === null ? { kind: 'served', model } : { kind: 'failed', model, reason: outcome };
  } catch (error) {
    if (options.signal.aborted) throw error;
    step?.fail('not served');
    // The marker stays: the next start tries again.
    return { kind: 'failed', model, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** @returns why it is not served, `null` when it is */
async function trainAndServe(
  model: string,
  apply: () => Promise<unknown>,
  options: FirstRunOptions,
  step: Step,
): Promise<string | null> {
  const { api } = options;
  const known = (await api.models()).find((m) => m.name === model);
  if (known === undefined) {
    step.update(`applying ${options.example}`);
    await apply();
  }
  if ((known?.routing ?? null) !== null) return null;
  const before = known === undefined ? null : await api.training(model);
  if (before === null || before.status === 'none' || before.status === 'failed') {
    step.update(`starting the training of ${model}`);
    await api.startTraining(model, { rollout: true });
  }
  const result = await followTraining(model, options, step);
  if (typeof result === 'string') return result;
  const refusal = refusalOf(result);
  if (refusal !== null) return refusal;
  return waitUntilRouted(model, options, step);
}

async function followTraining(model: string, options: FirstRunOptions, step: Step): Promise<TrainModelResult | string> {
  for (;;) {
    const answer = await patiently(() => options.api.training(model), options, step);
    if (answer.status === 'completed' && answer.result !== null) return answer.result;
    if (answer.status !== 'running') return `the training of ${model} failed: ${failureOf(answer)}`;
    step.update(describeTraining(model, answer));
    await sleep(options.pollMs ?? POLL_MS, undefined, { signal: options.signal });
  }
}

async function waitUntilRouted(model: string, options: FirstRunOptions, step: Step): Promise<string | null> {
  const deadline = Date.now() + (options.routedTimeoutMs ?? ROUTED_TIMEOUT_MS);
  for (;;) {
    const found = (await patiently(options.api.models, options, step)).find((m) => m.name === model);
    if ((found?.routing ?? null) !== null) return null;
    const [rollout] = await patiently(() => options.api.rollouts({ model, limit: 1 }), options, step);
    if (rollout?.finished_at != null) return `the rollout of ${model} ended: ${rollout.reason ?? rollout.phase}`;
    if (Date.now() > deadline)
      return `${model} was not routed in time; its rollout: \`npx sluice rollout status ${model}\``;
    step.update(`rolling out ${model}${rollout === undefined ? '' : ` (${rollout.phase})`}`);
    await sleep(options.pollMs ?? POLL_MS, undefined, { signal: options.signal });
  }
}

/** The supervisor starts a crashed API again: a moment without an answer is waited for. */
async function patiently<T>(read: () => Promise<T>, options: FirstRunOptions, step: Step): Promise<T> {
  const deadline = Date.now() + AWAY_MAX_MS;
  for (;;) {
    try {
      return await read();
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if ((code !== 'unreachable' && code !== 'unavailable') || Date.now() > deadline) throw error;
      step.update('waiting for the API');
      await sleep(options.pollMs ?? POLL_MS, undefined, { signal: options.signal });
    }
  }
}

function describeTraining(model: string, { progress }: TrainAnswer): string {
  if (progress === null) return `${model}: waiting for the worker`;
  const detail = progress.detail ?? null;
  const part = detail === null || detail.total <= 1 ? '' : ` ${String(detail.done)}/${String(detail.total)}`;
  const what = detail === null ? progress.message : `${detail.message}${part}`;
  return `${model}: ${progress.stage} (${String(progress.done)}/${String(progress.total)}): ${what}`;
}

function failureOf({ failure, status }: TrainAnswer): string {
  return failure ?? `it ended as ${status}`;
}

function refusalOf(result: TrainModelResult): string | null {
  if (result.kind === 'accepted') return null;
  if (result.kind === 'dataInvalid') {
    const errors = result.report.findings.filter((f) => f.severity === 'error').map((f) => f.message);
    return `the data of ${result.model} cannot be trained on: ${errors.join('; ')}`;
  }
  const failed = result.gates.filter((g) => !g.passed).map((g) => g.message);
  return `version ${String(result.version)} of ${result.model} did not pass its gates: ${failed.join('; ')}`;
}
