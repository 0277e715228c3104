import type { RolloutState } from './events.ts';

export function hasEnded(state: RolloutState): boolean {
  return state.phase === 'promoted' || state.phase === 'rolledBack' || state.phase === 'aborted';
}

/** Bake time of the current step that has passed, ms. */
export function bakedMs(state: RolloutState, nowMs: number): number {
  return state.bakedMs + (state.clockStartedAtMs === null ? 0 : Math.max(0, nowMs - state.clockStartedAtMs));
}

/** How long the current wait lasts at least, ms: the step's bake time, or the time the old version is kept warm. */
export function bakeTimeMs(state: RolloutState): number {
  return inKeepWarm(state) ? warmMs(state) : (state.plan.steps[state.stepIndex]?.bakeTimeMs ?? 0);
}

/** Requests the candidate has answered in the current step. */
export function stepRequests(state: RolloutState): number {
  return Math.max(0, (state.observation?.candidate.requests ?? 0) - state.requestsBeforeStep);
}

/** Requests the step still needs; a step without traffic, and the time after 100 %, ask for none. */
export function missingRequests(state: RolloutState): number {
  if (inKeepWarm(state) || state.weightPercent === 0) return 0;
  return Math.max(0, state.plan.minRequests - stepRequests(state));
}

/** Epoch ms at which the loop should look again; `observeEveryMs` from now at the latest. */
export function nextLookAtMs(state: RolloutState, nowMs: number): number {
  const latest = nowMs + state.plan.observeEveryMs;
  if (state.clockStartedAtMs === null) return latest;
  const left = bakeTimeMs(state) - bakedMs(state, nowMs);
  return left <= 0 ? latest : Math.min(latest, nowMs + left);
}

export function inKeepWarm(state: RolloutState): boolean {
  return state.phase === 'keepWarm' || (state.phase === 'paused' && state.pausedFrom === 'keepWarm');
}

/** The last step's bake time counts as well: at 100 % it is the same wait. */
export function warmMs(state: RolloutState): number {
  return Math.max(state.plan.keepWarmMs, state.plan.steps.at(-1)?.bakeTimeMs ?? 0);
}
