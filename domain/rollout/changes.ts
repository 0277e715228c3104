/** The changes a rollout can make: what is ordered, and what the state is once it is in force or has failed. */
import type { AliasesCommand, Decision, Outcome, PendingChange, RolloutEvent, RolloutState } from './events.ts';
import type { RouteCommand } from './events.ts';
import { countedRequests, warmMs } from './progress.ts';
import { aloneRoutes, splitRoutes, weightOf } from './routes.ts';

/** Who acts when no person does. */
export const SLUICE = 'sluice';

/** The next step: the first one, a greater weight, everything, the end of the keeping warm, a shadow's conclusion. */
export function forward(state: RolloutState, target: number, reason: string, by: string): Decision {
  if (state.phase === 'keepWarm') return toFinish(state, reason, by);
  const step = state.plan.steps[target];
  if (state.plan.strategy === 'shadow' && state.champion !== null) {
    return step === undefined ? restore(state, 'concluded', reason, by) : toStep(state, target, by);
  }
  if (state.champion === null || step === undefined || step.weightPercent >= 100) return toFull(state, reason, by);
  return toStep(state, target, by);
}

function toStep(state: RolloutState, stepIndex: number, by: string): Decision {
  const reason = `step ${stepIndex + 1} of ${state.plan.steps.length}`;
  const routes = splitRoutes(state, state.plan.steps[stepIndex]?.weightPercent ?? 0);
  return route(state, { purpose: 'step', stepIndex, routes, by, outcome: 'promoted', reason });
}

export function toFull(state: RolloutState, reason: string, by: string): Decision {
  if (state.champion === null || warmMs(state) === 0) return toFinish(state, reason, by);
  const stepIndex = state.plan.steps.length - 1;
  return route(state, { purpose: 'full', stepIndex, routes: splitRoutes(state, 100), by, outcome: 'promoted', reason });
}

export function toFinish(state: RolloutState, reason: string, by: string): Decision {
  const stepIndex = Math.max(0, state.plan.steps.length - 1);
  const routes = aloneRoutes(state.candidate);
  return route(state, { purpose: 'finish', stepIndex, routes, by, outcome: 'promoted', reason });
}

/** Back to the champion alone. Without a champion there is nothing to go back to: the routing stays as it is. */
export function restore(state: RolloutState, outcome: Outcome, reason: string, by: string): Decision {
  const { champion, stepIndex } = state;
  if (champion === null) return end({ ...state, pending: null }, outcome, reason, by);
  const routes = aloneRoutes(champion);
  const back: RolloutState = { ...state, phase: 'rollingBack', pausedFrom: null, clockStartedAtMs: null, reason };
  return route(back, { purpose: 'restore', stepIndex, routes, by, outcome, reason });
}

function route(state: RolloutState, pending: PendingChange): Decision {
  const command: RouteCommand = {
    kind: 'route',
    purpose: pending.purpose,
    expectedGeneration: state.generation,
    ordinal: state.ordinal,
    rolloutId: pending.purpose === 'step' || pending.purpose === 'full' ? state.rolloutId : null,
    routes: pending.routes,
    by: pending.by,
    reason: pending.reason,
    evidence: state.verdict,
  };
  return { state: { ...state, pending, ordinal: state.ordinal + 1 }, commands: [command] };
}

type Routed = Extract<RolloutEvent, { kind: 'routed' }>;
type RoutingFailed = Extract<RolloutEvent, { kind: 'routingFailed' }>;

export function onRouted(state: RolloutState, pending: PendingChange, event: Routed): Decision {
  const next: RolloutState = {
    ...state,
    pending: null,
    routes: pending.routes,
    generation: Math.max(event.generation, state.generation),
    weightPercent: weightOf(pending.routes, state.candidate),
    stepIndex: pending.stepIndex,
    adoption: event.adoption ?? null,
  };
  if (pending.purpose === 'restore') return end(next, pending.outcome, pending.reason, pending.by);
  if (pending.purpose === 'finish') return end(next, 'promoted', pending.reason, pending.by);
  const fresh: RolloutState = {
    ...next,
    phase: pending.purpose === 'full' ? 'keepWarm' : 'running',
    pausedFrom: null,
    approvals: [],
    bakedMs: 0,
    waitFromMs: 0,
    bakeSkipped: false,
    clockStartedAtMs: event.nowMs,
    stepStartedAtMs: event.nowMs,
    requestsBeforeStep: countedRequests(state),
    reason: pending.reason,
  };
  if (pending.purpose === 'full') return promoteAliases(fresh, pending.by);
  if (state.phase === 'starting') return aliases(fresh, { candidate: state.candidate }, state.requestedBy);
  return { state: fresh, commands: [] };
}

export function onRoutingFailed(state: RolloutState, pending: PendingChange, event: RoutingFailed): Decision {
  const settled: RolloutState = { ...state, pending: null };
  // 100 % was reached and watched to its end; only the tidying up failed.
  if (pending.purpose === 'finish' && state.aliasesMoved) {
    const reason = `${pending.reason}; the routing keeps the old version: ${event.reason}`;
    return end(settled, 'promoted', reason, SLUICE);
  }
  if (pending.purpose === 'restore') {
    const reason = `${pending.reason}; the weights were left alone: ${event.reason}`;
    return end(settled, pending.outcome, reason, SLUICE);
  }
  // Another writer owns the routing: writing over it would undo somebody's decision, and so would a quarantine.
  if (event.conflict) {
    return end(settled, 'aborted', `the routing was changed by someone else: ${event.reason}`, SLUICE, false);
  }
  return restore(settled, 'aborted', `the routing could not be changed: ${event.reason}`, SLUICE);
}

function end(state: RolloutState, outcome: Outcome, reason: string, by: string, mayQuarantine = true): Decision {
  const ended: RolloutState = { ...state, phase: outcome, pausedFrom: null, clockStartedAtMs: null, reason };
  const moved = outcome === 'promoted' ? promoteAliases(ended, by) : restoreAliases(ended, by);
  const turnedDown = outcome === 'rolledBack' || outcome === 'aborted';
  // A first version that is called off has no better one to give way to.
  const quarantined = turnedDown && mayQuarantine && state.champion !== null;
  return {
    state: moved.state,
    commands: [
      ...moved.commands,
      ...(quarantined ? [{ kind: 'quarantine', by, reason } as const] : []),
      { kind: 'close', outcome, reason },
    ],
  };
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
