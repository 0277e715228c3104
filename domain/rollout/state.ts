import type { Verdict } from '../verdict.ts';
import type { Route } from '../routing.ts';
import type { RolloutPlan } from './plan.ts';

/** `running` covers everything between the first routing change and the end; `keepWarm` follows 100 %. */
export const ROLLOUT_PHASES = [
  'starting',
  'running',
  'paused',
  'keepWarm',
  'rollingBack',
  'promoted',
  'rolledBack',
  'aborted',
] as const;
export type RolloutPhase = (typeof ROLLOUT_PHASES)[number];

/** What queries, lists and the API show of a rollout. */
export interface RolloutSnapshot {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly plan: RolloutPlan;
  readonly phase: RolloutPhase;
  /** Index into `plan.steps`. */
  readonly stepIndex: number;
  readonly weightPercent: number;
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly verdict: Verdict | null;
  /** In words: what is happening, what it waits for, what comes next. */
  readonly explanation: { readonly now: string; readonly waitsFor: string; readonly next: string };
  /** Epoch ms. */
  readonly startedAtMs: number;
  readonly stepStartedAtMs: number;
  /** Earliest end of the current wait, epoch ms; `null` when it waits for a person. */
  readonly stepEndsAtMs: number | null;
  readonly reason: string | null;
}
