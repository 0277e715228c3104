import type { RolloutState } from './events.ts';
import type { RolloutPhase } from './state.ts';

const ENDED: readonly RolloutPhase[] = ['promoted', 'rolledBack', 'aborted', 'concluded'];

export function hasEnded({ phase }: Pick<RolloutState, 'phase'>): boolean {
  return ENDED.includes(phase);
}

/** The phase a paused or frozen rollout goes on in. */
export function activePhase(state: RolloutState): RolloutPhase {
  return state.pausedFrom ?? state.phase;
}

/** Time of the current step that has passed, ms: pauses do not count. */
export function bakedMs(state: RolloutState, nowMs: number): number {
  return state.bakedMs + (state.clockStartedAtMs === null ? 0 : Math.max(0, nowMs - state.clockStartedAtMs));
}

/** How long the current wait lasts at least, ms: the step's bake time, or the time the old version is kept warm. */
export function bakeTimeMs(state: RolloutState): number {
  if (state.bakeSkipped) return 0;
  return inKeepWarm(state) ? warmMs(state) : (state.plan.steps[state.stepIndex]?.bakeTimeMs ?? 0);
}

/** Requests counted for the candidate since the rollout began: of a shadow, those answered by both. */
export function countedRequests({ plan, observation }: Pick<RolloutState, 'plan' | 'observation'>): number {
  if (observation === null) return 0;
  return plan.strategy === 'shadow' ? (observation.shadowPairs ?? 0) : observation.candidate.requests;
}

/** Requests the candidate has answered in the current step. */
export function stepRequests(state: RolloutState): number {
  return Math.max(0, countedRequests(state) - state.requestsBeforeStep);
}

/** Requests the step takes at least; a step without traffic, and the time after 100 %, ask for none. */
export function stepRequestsMin(state: RolloutState): number {
  // No traffic never promotes, whatever the plan says.
  return isMeasured(state) ? Math.max(1, state.plan.minRequests) : 0;
}

/** Whether the current step can bring evidence, and so must. */
export function isMeasured(state: RolloutState): boolean {
  if (activePhase(state) !== 'running') return false;
  return state.weightPercent > 0 || state.plan.strategy === 'shadow';
}

/** Epoch ms at which the loop should look again; `observeEveryMs` from now at the latest. */
export function nextLookAtMs(state: RolloutState, nowMs: number): number {
  const latest = nowMs + state.plan.observeEveryMs;
  if (state.clockStartedAtMs === null) return latest;
  const left = bakeTimeMs(state) - bakedMs(state, nowMs);
  return left <= 0 ? latest : Math.min(latest, nowMs + left);
}

/** Epoch ms at which the step has waited long enough; `null`: never. */
export function waitEndsAtMs(state: RolloutState, nowMs: number): number | null {
  const limits: number[] = [];
  const { maxWaitMs } = state.plan.steps[state.stepIndex] ?? {};
  if (activePhase(state) !== 'running') return null;
  if (maxWaitMs !== undefined && state.clockStartedAtMs !== null) {
    limits.push(nowMs + state.waitFromMs + maxWaitMs - bakedMs(state, nowMs));
  }
  if (state.plan.endsAtMs !== null) limits.push(state.plan.endsAtMs);
  return limits.length === 0 ? null : Math.min(...limits);
}

export function inKeepWarm(state: RolloutState): boolean {
  return activePhase(state) === 'keepWarm';
}

/** The last step's bake time counts as well: at 100 % it is the same wait. */
export function warmMs(state: RolloutState): number {
  return Math.max(state.plan.keepWarmMs, state.plan.steps.at(-1)?.bakeTimeMs ?? 0);
}
