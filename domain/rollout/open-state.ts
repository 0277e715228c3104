import type { Route } from '../routing.ts';
import { completePlan } from './complete-plan.ts';
import type { RolloutState } from './events.ts';
import type { RolloutPlan } from './plan.ts';

/** What is known when a rollout opens. */
export interface RolloutFacts {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  /** Version that has the traffic; `null` for the first version of a model, which gets everything at once. */
  readonly champion: number | null;
  readonly previous: number | null;
  readonly plan: RolloutPlan;
  /** Of the routing in force; 0 when there is none. */
  readonly generation: number;
  readonly routes: readonly Route[];
  readonly salt: string;
  readonly requestedBy: string;
  readonly nowMs: number;
  /** False in a run that began before approvals were bound to watched metrics. Default true. */
  readonly bindsWatched?: boolean;
  /** One of a group, whose steps wait for each other. */
  readonly inGroup?: boolean;
}

export function openState(facts: RolloutFacts): RolloutState {
  return {
    rolloutId: facts.rolloutId,
    model: facts.model,
    candidate: facts.candidate,
    champion: facts.champion,
    previousBefore: facts.previous,
    plan: completePlan(facts.plan),
    salt: facts.salt,
    requestedBy: facts.requestedBy,
    phase: 'starting',
    stepIndex: 0,
    weightPercent: 0,
    generation: facts.generation,
    routes: facts.routes,
    ordinal: 0,
    pending: null,
    aliasesMoved: false,
    bakedMs: 0,
    clockStartedAtMs: null,
    waitFromMs: 0,
    bakeSkipped: false,
    pausedFrom: null,
    approvals: [],
    bindsWatched: facts.bindsWatched ?? true,
    asked: null,
    hold: null,
    adoption: null,
    heldTrigger: null,
    releasedStep: facts.inGroup === true ? 0 : null,
    observation: null,
    requestsBeforeStep: 0,
    verdict: null,
    startedAtMs: facts.nowMs,
    stepStartedAtMs: facts.nowMs,
    reason: null,
  };
}
