/** The rollouts that are killed: one of every strategy, and one that goes back by itself. Seconds each. */
import type { ModelDefinition } from '../../domain/definition.ts';
import type { PlanOverrides, RolloutStep, Strategy } from '../../domain/rollout/plan.ts';
import type { RolloutPhase } from '../../domain/rollout/state.ts';
import { tinyModel, type TinyModel } from '../../test/support/tiny-model.ts';
import { liveDefinition } from '../rollout/live-definition.ts';

/** Feature `x` of a request: the rows come again and again, so that an answer kept of another version would show. */
const DIFFERENT_ROWS = 100;
const CACHE = { ttlMs: 60_000, maxEntries: 1_000 };
/** From here on the bad candidate's answer is above 1, which is no probability. */
const FAILS_FROM = 50;
const KEEP_WARM_MS = 800;

export interface Row {
  readonly strategy: Strategy;
  /** Weight of the candidate in each step, %. */
  readonly weights: readonly number[];
  /** Half of the rows are such that its candidate fails on them. */
  readonly bad?: boolean;
  /** Its answers are kept for a while; others take the shorter way, on which none are. */
  readonly cached?: boolean;
}

export const ROWS: Readonly<Record<string, Row>> = {
  canary: { strategy: 'canary', weights: [20, 50, 100] },
  'blue-green': { strategy: 'blue-green', weights: [0, 50, 100] },
  'launch-ramp': { strategy: 'launch-ramp', weights: [20, 60, 100], cached: true },
  shadow: { strategy: 'shadow', weights: [0] },
  ab: { strategy: 'ab', weights: [50, 100], cached: true },
  'all-at-once': { strategy: 'all-at-once', weights: [100] },
  'bad-canary': { strategy: 'canary', weights: [50, 100], bad: true },
};

/** The phase in which its rollout ends. */
export function endsAs({ strategy, bad = false }: Row): RolloutPhase {
  if (bad) return 'rolledBack';
  return strategy === 'shadow' ? 'concluded' : 'promoted';
}

/** Points at which something is killed, beside the indices of steps: while the order is taken, and at the verdict. */
export const AT_START = -1;
export const AT_VERDICT = 100;

/** The bad one gets no further than its first step. */
export function killPoints({ weights, bad = false }: Row): readonly number[] {
  return bad ? [AT_START, 0, AT_VERDICT] : [AT_START, ...weights.keys()];
}

export function pointName({ weights, strategy }: Row, point: number): string {
  if (point === AT_START) return 'start';
  if (point === AT_VERDICT) return 'verdict';
  return strategy === 'shadow' ? 'mirrored' : `${weights[point] ?? 0} %`;
}

/** Whether a kill that met this step was at its point. With the verdict the way back may be in force already. */
export function fellOn(point: number, step: number): boolean {
  if (point === AT_START) return step <= 0;
  return point === AT_VERDICT ? step === 0 || step === 1 : step === point;
}

/** @param bakeTimeMs of each step, by its index */
export function planOf({ weights, bad = false }: Row, bakeTimeMs: (step: number) => number): PlanOverrides {
  const steps = weights.map((weightPercent, step): RolloutStep => {
    // The bad one ends by its verdict.
    return { weightPercent, bakeTimeMs: bad && step === 0 ? 60_000 : bakeTimeMs(step) };
  });
  return {
    steps,
    advance: 'noHarm',
    minRequests: 2,
    warmUpRequests: bad ? 20 : 0,
    observeEveryMs: 300,
    keepWarmMs: KEEP_WARM_MS,
    // What a machine without time does to the latency decides nothing here.
    limits: { errorRateMax: 0.05, p95MsMax: 30_000 },
  };
}

export function definitionOf(model: string, { cached = false }: Row): ModelDefinition {
  return { ...liveDefinition(model), ...(cached ? { cache: CACHE } : {}) };
}

export const featuresOf = (user: number): { readonly x: number } => ({ x: user % DIFFERENT_ROWS });

/** What a version answers for a user: below 0.4, or above 0.5, and for each row something else. */
export function probabilityOf(row: Row, version: number, user: number): number {
  const { x } = featuresOf(user);
  return version === 1 ? 0.004 * x : 0.5 + slopeOf(row) * x;
}

const slopeOf = ({ bad = false }: Row): number => (bad ? 0.5 / (FAILS_FROM - 0.5) : 0.004);

/** Versions 1 and 2. */
export function versionsOf(row: Row): readonly [TinyModel, TinyModel] {
  return [
    tinyModel({ weights: [0.004], bias: 0, link: 'identity' }),
    tinyModel({ weights: [slopeOf(row)], bias: 0.5, link: 'identity' }),
  ];
}
