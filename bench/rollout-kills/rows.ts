/** The rollouts that are killed: one of every strategy, and one that goes back by itself. Seconds each. */
import type { PlanOverrides, RolloutStep, Strategy } from '../../domain/rollout/plan.ts';
import { tinyModel, type TinyModel } from '../../test/support/tiny-model.ts';

/** Feature `x` of a request: the rows come again and again, so that anything kept from another version would show. */
const DIFFERENT_ROWS = 200;
/** From here on the bad candidate's answer is above 1, which is no probability. */
const FAILS_FROM = 100;
const KEEP_WARM_MS = 800;

export interface Row {
  readonly strategy: Strategy;
  /** Weight of the candidate in each step, %. */
  readonly weights: readonly number[];
  /** Half of the rows are such that its candidate fails on them. */
  readonly bad?: boolean;
}

export const ROWS: Readonly<Record<string, Row>> = {
  canary: { strategy: 'canary', weights: [20, 50, 100] },
  'blue-green': { strategy: 'blue-green', weights: [0, 50, 100] },
  'launch-ramp': { strategy: 'launch-ramp', weights: [20, 60, 100] },
  shadow: { strategy: 'shadow', weights: [0] },
  ab: { strategy: 'ab', weights: [50, 100] },
  'all-at-once': { strategy: 'all-at-once', weights: [100] },
  'bad-canary': { strategy: 'canary', weights: [50, 100], bad: true },
};

/** Steps at which a row can be killed: of the bad one only the first, as it gets no further. `-1`: while it starts. */
export function killPoints({ weights, bad = false }: Row): readonly number[] {
  return [-1, ...weights.map((_, step) => step)].filter((step) => !bad || step < 1);
}

export function pointName({ weights, strategy }: Row, step: number): string {
  if (step < 0) return 'start';
  return strategy === 'shadow' ? 'mirrored' : `${weights[step] ?? 0} %`;
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

export const featuresOf = (user: number): { readonly x: number } => ({ x: user % DIFFERENT_ROWS });

/** What a version answers for a user: below 0.4, or above 0.5, and for each row something else. */
export function probabilityOf(row: Row, version: number, user: number): number {
  const { x } = featuresOf(user);
  return version === 1 ? 0.002 * x : 0.5 + slopeOf(row) * x;
}

const slopeOf = ({ bad = false }: Row): number => (bad ? 0.5 / (FAILS_FROM - 0.5) : 0.002);

/** Versions 1 and 2. */
export function versionsOf(row: Row): readonly [TinyModel, TinyModel] {
  return [
    tinyModel({ weights: [0.002], bias: 0, link: 'identity' }),
    tinyModel({ weights: [slopeOf(row)], bias: 0.5, link: 'identity' }),
  ];
}
