import type { Route } from '../routing.ts';
import type {
  AliasesCommand,
  Decision,
  Order,
  OrderName,
  Outcome,
  PendingChange,
  RolloutCommand,
  RolloutEvent,
  RolloutState,
} from './events.ts';
import type { RolloutPlan } from './plan.ts';
import { bakedMs, bakeTimeMs, hasEnded, inKeepWarm, missingRequests, warmMs } from './progress.ts';

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
}

export function openState(facts: RolloutFacts): RolloutState {
  return {
    rolloutId: facts.rolloutId,
    model: facts.model,
    candidate: facts.candidate,
    champion: facts.champion,
    previousBefore: facts.previous,
    plan: facts.plan,
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
    pausedFrom: null,
    observation: null,
    requestsBeforeStep: 0,
    verdict: null,
    startedAtMs: facts.nowMs,
    stepStartedAtMs: facts.nowMs,
    reason: null,
  };
}

/**
 * One step of the rollout machine; pure. An event that does not apply changes nothing: a rollout that has ended
 * accepts nothing, and while a routing change is pending only its outcome (or a failure) counts.
 */
export function decide(state: RolloutState, event: RolloutEvent): Decision {
  const unchanged: Decision = { state, commands: [] };
  if (hasEnded(state)) return unchanged;
  switch (event.kind) {
    case 'routed':
      return state.pending === null ? unchanged : onRouted(state, state.pending, event.nowMs, event.generation);
    case 'routingFailed':
      return state.pending === null ? unchanged : onRoutingFailed(state, state.pending, event);
    case 'failed':
      // While the way back is already under way there is nothing safer to do.
      return state.phase === 'rollingBack' ? unchanged : restore(state, 'aborted', event.reason, 'sluice');
    case 'start':
      return state.phase === 'starting' && state.pending === null ? onStart(state) : unchanged;
    case 'observed':
      return isWatched(state) ? onObserved(state, event) : unchanged;
    default:
      return state.pending !== null || refusal(state, event.kind) !== null ? unchanged : onOrder(state, event);
  }
}

/** Why an order does not apply now, in words; `null` when it does. */
export function refusal(state: RolloutState, order: OrderName): string | null {
  if (hasEnded(state)) return `the rollout of ${nameOf(state)} has ended (${state.phase})`;
  if (state.phase === 'rollingBack') return `the traffic of ${state.model} is already going back to the champion`;
  if (order === 'resume' && state.phase !== 'paused') return 'the rollout is not paused';
  if (order === 'pause' && state.phase === 'paused') return 'the rollout is paused already';
  return null;
}

function isWatched(state: RolloutState): boolean {
  return state.pending === null && ['running', 'keepWarm', 'paused'].includes(state.phase);
}

function nameOf(state: RolloutState): string {
  return `${state.model} version ${state.candidate}`;
}

function onStart(state: RolloutState): Decision {
  const first = state.plan.steps[0];
  if (state.champion === null || first === undefined || first.weightPercent >= 100) {
    const why = state.champion === null ? 'first version of the model' : 'all at once';
    return toFull(state, why, state.requestedBy);
  }
  return toStep(state, 0);
}

function onObserved(state: RolloutState, event: Extract<RolloutEvent, { kind: 'observed' }>): Decision {
  const next: RolloutState = { ...state, observation: event.observation, verdict: event.verdict };
  if (event.verdict.kind === 'rollback') return restore(next, 'rolledBack', event.verdict.reason, 'sluice');
  if (state.phase === 'paused') return { state: next, commands: [] };
  if (bakedMs(next, event.nowMs) < bakeTimeMs(next) || missingRequests(next) > 0) return { state: next, commands: [] };
  if (state.phase === 'keepWarm')
    return toFinish(next, 'every step passed, and nothing was found after 100 %', 'sluice');
  const target = state.plan.steps[state.stepIndex + 1];
  if (target === undefined || target.weightPercent >= 100) return toFull(next, 'every step passed', 'sluice');
  return toStep(next, state.stepIndex + 1);
}

function onOrder(state: RolloutState, order: Order): Decision {
  const reason = order.reason === '' ? `${order.kind} by ${order.by}` : `${order.kind} by ${order.by}: ${order.reason}`;
  switch (order.kind) {
    case 'promote':
      return inKeepWarm(state) ? toFinish(state, reason, order.by) : toFull(state, reason, order.by);
    case 'abort':
      return restore(state, 'aborted', reason, order.by);
    case 'rollback':
      return restore(state, 'rolledBack', reason, order.by);
    case 'pause': {
      const pausedFrom = state.phase === 'keepWarm' ? 'keepWarm' : 'running';
      const baked = bakedMs(state, order.nowMs);
      const paused = { ...state, phase: 'paused', pausedFrom, bakedMs: baked, clockStartedAtMs: null, reason } as const;
      return { state: paused, commands: [] };
    }
    case 'freeze':
    case 'skipBake':
      return { state, commands: [] };
    case 'resume': {
      const phase = state.pausedFrom ?? 'running';
      return { state: { ...state, phase, pausedFrom: null, clockStartedAtMs: order.nowMs, reason }, commands: [] };
    }
  }
}

function toStep(state: RolloutState, stepIndex: number): Decision {
  const weight = state.plan.steps[stepIndex]?.weightPercent ?? 0;
  const reason = `step ${stepIndex + 1} of ${state.plan.steps.length}`;
  const routes = split(state, weight);
  return route(state, { purpose: 'step', stepIndex, routes, by: 'sluice', outcome: 'promoted', reason });
}

function toFull(state: RolloutState, reason: string, by: string): Decision {
  if (state.champion === null || warmMs(state) === 0) return toFinish(state, reason, by);
  const stepIndex = state.plan.steps.length - 1;
  return route(state, { purpose: 'full', stepIndex, routes: split(state, 100), by, outcome: 'promoted', reason });
}

function toFinish(state: RolloutState, reason: string, by: string): Decision {
  const stepIndex = Math.max(0, state.plan.steps.length - 1);
  const routes: Route[] = [{ variant: 'champion', version: state.candidate, weightPercent: 100 }];
  return route(state, { purpose: 'finish', stepIndex, routes, by, outcome: 'promoted', reason });
}

/** Back to the champion alone. Without a champion there is nothing to go back to: the routing stays as it is. */
function restore(state: RolloutState, outcome: Outcome, reason: string, by: string): Decision {
  const { champion, stepIndex } = state;
  if (champion === null) return end({ ...state, pending: null }, outcome, reason, by);
  const routes: Route[] = [{ variant: 'champion', version: champion, weightPercent: 100 }];
  const back: RolloutState = { ...state, phase: 'rollingBack', pausedFrom: null, clockStartedAtMs: null, reason };
  return route(back, { purpose: 'restore', stepIndex, routes, by, outcome, reason });
}

/** The candidate's weight and the champion's rest, exact to 0.01 %. */
function split(state: RolloutState, weightPercent: number): readonly Route[] {
  const rest = Math.round((100 - weightPercent) * 100) / 100;
  const candidate: Route = { variant: 'candidate', version: state.candidate, weightPercent };
  return state.champion === null
    ? [candidate]
    : [{ variant: 'champion', version: state.champion, weightPercent: rest }, candidate];
}

function route(state: RolloutState, pending: PendingChange): Decision {
  const command: RolloutCommand = {
    kind: 'route',
    purpose: pending.purpose,
    expectedGeneration: state.generation,
    ordinal: state.ordinal,
    rolloutId: pending.purpose === 'step' || pending.purpose === 'full' ? state.rolloutId : null,
    routes: pending.routes,
    by: pending.by,
    reason: pending.reason,
  };
  return { state: { ...state, pending, ordinal: state.ordinal + 1 }, commands: [command] };
}

function onRouted(state: RolloutState, pending: PendingChange, nowMs: number, generation: number): Decision {
  const weight = pending.routes.find((r) => r.version === state.candidate)?.weightPercent ?? 0;
  const next: RolloutState = {
    ...state,
    pending: null,
    routes: pending.routes,
    generation: Math.max(generation, state.generation),
    weightPercent: weight,
    stepIndex: pending.stepIndex,
  };
  if (pending.purpose === 'restore') return end(next, pending.outcome, pending.reason, pending.by);
  if (pending.purpose === 'finish') return end(next, 'promoted', pending.reason, pending.by);
  const fresh: RolloutState = {
    ...next,
    phase: pending.purpose === 'full' ? 'keepWarm' : 'running',
    pausedFrom: null,
    bakedMs: 0,
    clockStartedAtMs: nowMs,
    stepStartedAtMs: nowMs,
    requestsBeforeStep: state.observation?.candidate.requests ?? 0,
    reason: pending.reason,
  };
  if (pending.purpose === 'full') return promoteAliases(fresh, pending.by);
  if (state.phase === 'starting') return aliases(fresh, { candidate: state.candidate }, state.requestedBy);
  return { state: fresh, commands: [] };
}

function onRoutingFailed(
  state: RolloutState,
  pending: PendingChange,
  event: Extract<RolloutEvent, { kind: 'routingFailed' }>,
): Decision {
  const settled: RolloutState = { ...state, pending: null };
  // 100 % was reached and watched to its end; only the tidying up failed.
  if (pending.purpose === 'finish' && state.aliasesMoved) {
    return end(settled, 'promoted', `${pending.reason}; the routing keeps the old version: ${event.reason}`, 'sluice');
  }
  if (pending.purpose === 'restore') {
    return end(settled, pending.outcome, `${pending.reason}; the weights were left alone: ${event.reason}`, 'sluice');
  }
  // Another writer owns the routing: writing over it would undo somebody's decision.
  if (event.conflict) {
    return end(settled, 'aborted', `the routing was changed by someone else: ${event.reason}`, 'sluice');
  }
  return restore(settled, 'aborted', `the routing could not be changed: ${event.reason}`, 'sluice');
}

function end(state: RolloutState, outcome: Outcome, reason: string, by: string): Decision {
  const ended: RolloutState = { ...state, phase: outcome, pausedFrom: null, clockStartedAtMs: null, reason };
  const moved = outcome === 'promoted' ? promoteAliases(ended, by) : restoreAliases(ended, by);
  return { state: moved.state, commands: [...moved.commands, { kind: 'close', outcome, reason }] };
}

function promoteAliases(state: RolloutState, by: string): Decision {
  if (state.aliasesMoved) return { state, commands: [] };
  const previous = state.champion === null ? {} : { previous: state.champion };
  const change = { champion: state.candidate, ...previous, candidate: null };
  return aliases({ ...state, aliasesMoved: true }, change, by);
}

function restoreAliases(state: RolloutState, by: string): Decision {
  const change = state.aliasesMoved
    ? { champion: state.champion, previous: state.previousBefore, candidate: null }
    : { candidate: null };
  return aliases({ ...state, aliasesMoved: false }, change, by);
}

function aliases(state: RolloutState, change: AliasesCommand['aliases'], by: string): Decision {
  const command: AliasesCommand = { kind: 'setAliases', ordinal: state.ordinal, aliases: change, by };
  return { state: { ...state, ordinal: state.ordinal + 1 }, commands: [command] };
}
