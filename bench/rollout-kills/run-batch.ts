/** Several rollouts at once, each under the requests of its own users, while one part of the platform is killed. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Registry } from '../../db/ports.ts';
import type { LedgerEntry } from '../../db/rollout-ports.ts';
import type { Route } from '../../domain/routing.ts';
import { until } from '../faults/tell.ts';
import type { LivePlatform } from '../rollout/live-platform.ts';
import { startUsers, type UserLoad } from '../rollout/user-load.ts';
import { checkAnswers, type Findings } from './check-answers.ts';
import { PROCESSES, type KillWorld, type Part } from './kill-world.ts';
import { AT_VERDICT, definitionOf, featuresOf, planOf, probabilityOf, versionsOf, type Row } from './rows.ts';

const PER_SECOND = 15;
const SERVED_WITHIN_MS = 30_000;
const REACHED_WITHIN_MS = 60_000;
/** Undisturbed ten seconds; what a killed worker had begun is tried again after ten more. */
const ENDS_WITHIN_MS = 150_000;
const RECORDED_WITHIN_MS = 60_000;
const SEEN_WITHIN_MS = 15_000;
/** Requests go on for so long after the end. */
const AFTERWARDS_MS = 1_500;
const LEDGER_MAX = 100;
const LOOKS_MAX = 1_000;

export interface Batch {
  readonly world: KillWorld;
  /** Distinguishes its models from those of other batches. */
  readonly tag: string;
  readonly rows: Readonly<Record<string, Row>>;
  /** One after the other, each when every rollout has come to its point (see `killPoints`). */
  readonly kills: readonly { readonly part: Part; readonly point: number }[];
  readonly bakeTimeMs: (step: number) => number;
}

/** What is left when a rollout is over: all of it must be as if nothing had been killed. */
export interface End {
  readonly phase: string | undefined;
  /** One after the other, as the ledger has them. */
  readonly routings: readonly (readonly Route[])[];
  readonly servedByRollout: boolean;
  readonly aliases: object;
  readonly candidate: string | undefined;
}

export interface Outcome {
  readonly model: string;
  readonly end: End;
  readonly findings: Findings;
  /** Step whose routing was in force when each kill fell; -1: that of before, one more than there are: that of after. */
  readonly killedAtSteps: readonly number[];
  /** Of each kill, epoch ms. */
  readonly killedAtMs: readonly number[];
  readonly tookMs: number;
  /** From the verdict against the candidate to its last answer; `null` without such a verdict. */
  readonly goneMs: number | null;
}

interface Running {
  readonly name: string;
  readonly row: Row;
  readonly model: string;
  readonly load: UserLoad;
  readonly rolloutId: string;
  readonly startedMs: number;
}

/** Outcomes by the rows' names. @throws when a rollout does not end, or a part does not come back */
export async function runBatch(batch: Batch): Promise<Readonly<Record<string, Outcome>>> {
  const { world, rows, kills } = batch;
  const running = await Promise.all(Object.entries(rows).map(([name, row]) => begin(batch, name, row)));
  try {
    const ended = running.map((one) => endOf(world.platform, one));
    // Their failures are dealt with below.
    for (const one of ended) one.catch(() => undefined);
    const killedAtMs: number[] = [];
    for (const { part, point } of kills) {
      await reached(world.platform, running, point);
      killedAtMs.push(await world.kill(part));
    }
    const tookMs = await Promise.all(ended);
    await world.untilWell();
    await pause(AFTERWARDS_MS);
    await Promise.all(running.map(({ load }) => load.stop()));
    const outcomes = await Promise.all(
      running.map(async (one, i) => [one.name, await tell(world, one, killedAtMs, tookMs[i] ?? 0)] as const),
    );
    return Object.fromEntries(outcomes);
  } finally {
    await Promise.all(running.map(({ load }) => load.stop()));
  }
}

async function begin({ world, tag, bakeTimeMs }: Batch, name: string, row: Row): Promise<Running> {
  const { platform } = world;
  const model = `${name}-${tag}`;
  await platform.addModel(definitionOf(model, row), versionsOf(row));
  await until(`${model} to be served`, SERVED_WITHIN_MS, async () => {
    const serving = await platform.registry.instances.serving(model, Date.now() - SEEN_WITHIN_MS);
    return serving.length === PROCESSES && serving.every((one) => one.warmVersions.includes(1));
  });
  const { port, key } = platform;
  const load = startUsers({ port, key, model, perSecond: PER_SECOND, features: featuresOf });
  try {
    const plan = planOf(row, bakeTimeMs);
    const startedMs = performance.now();
    const rolloutId = await platform.start(model, { strategy: row.strategy, plan });
    return { name, row, model, load, rolloutId, startedMs };
  } catch (error) {
    await load.stop();
    throw error;
  }
}

/** Generation 1 is the champion alone, 2 the first step. */
const stepOf = (generation: number): number => generation - 2;

function reached(platform: LivePlatform, running: readonly Running[], point: number): Promise<number> {
  return until(`all to come to ${point}`, REACHED_WITHIN_MS, async () => {
    const there = await Promise.all(running.map((one) => isAt(platform, one, point)));
    return there.every(Boolean);
  });
}

async function isAt({ registry }: LivePlatform, { model, rolloutId }: Running, point: number): Promise<boolean> {
  if (point === AT_VERDICT) return (await verdictAtMs(registry, rolloutId)) !== null;
  const table = await registry.routing.find(model);
  return table !== null && stepOf(table.generation) >= point;
}

/** Of the look that sent the rollout back, epoch ms. */
async function verdictAtMs({ looks }: Registry, rolloutId: string): Promise<number | null> {
  const rows = await looks.list(rolloutId, LOOKS_MAX);
  return rows.find((look) => look.verdict.kind === 'rollback')?.lookAtMs ?? null;
}

/** Resolves with the time it took, ms. */
async function endOf({ registry }: LivePlatform, { model, rolloutId, startedMs }: Running): Promise<number> {
  await until(`the rollout of ${model} to end`, ENDS_WITHIN_MS, async () => {
    return (await registry.rollouts.find(rolloutId))?.finishedAt != null;
  });
  return performance.now() - startedMs;
}

async function tell(world: KillWorld, one: Running, killedAtMs: readonly number[], tookMs: number): Promise<Outcome> {
  const { model, row, load } = one;
  const { registry } = world.platform;
  const ledger = await registry.ledger.between(model, new Date(0), new Date(Date.now() + 1_000), LEDGER_MAX);
  const [rollout] = await registry.rollouts.list({ model, limit: 2 });
  const end: End = {
    phase: rollout?.phase,
    routings: ledger.map((entry) => entry.routes),
    servedByRollout: (await registry.routing.find(model))?.rolloutId !== null,
    aliases: await registry.versions.aliases(model),
    candidate: (await registry.versions.find(model, 2))?.status,
  };
  const told = {
    answers: load.answers,
    ledger,
    candidateFails: row.bad ?? false,
    probabilityOf: (version: number, user: number) => probabilityOf(row, version, user),
  };
  let findings = checkAnswers({ ...told, stored: await world.stored(model) });
  await until(`the records of ${model}`, RECORDED_WITHIN_MS, async () => {
    findings = checkAnswers({ ...told, stored: await world.stored(model) });
    return findings.misrecorded === 0;
  }).catch(() => undefined);
  const verdictMs = await verdictAtMs(registry, one.rolloutId);
  const lastMs = load.answers.filter((a) => a.version === 2).at(-1)?.atMs ?? 0;
  const goneMs = verdictMs === null ? null : Math.max(0, lastMs + performance.timeOrigin - verdictMs);
  const killedAtSteps = killedAtMs.map((ms) => stepAt(ledger, ms));
  return { model, end, findings, killedAtMs, killedAtSteps, tookMs, goneMs };
}

function stepAt(ledger: readonly LedgerEntry[], atMs: number): number {
  return stepOf(ledger.findLast(({ validFrom }) => validFrom.getTime() <= atMs)?.generation ?? 1);
}
