import { targetStep, evidenceHash } from './approvals.ts';
import { withAsking } from './asking.ts';
import { blockers, waitIsOver, type Blocker } from './blockers.ts';
import { forward, onRouted, onRoutingFailed, restore, SLUICE } from './changes.ts';
import type { Decision, Observed, RolloutEvent, RolloutState, Trigger } from './events.ts';
import { halted, onApproval, onOrder, refusal } from './orders.ts';
import { hasEnded } from './progress.ts';

/**
 * One step of the rollout machine; pure. An event that does not apply changes nothing: a rollout that has ended
 * accepts nothing, and while a routing change is pending only its outcome (or a failure) counts.
 */
export function decide(state: RolloutState, event: RolloutEvent): Decision {
  const decision = decided(state, event);
  return decision.state === state ? decision : withAsking(state, decision, event);
}

function decided(state: RolloutState, event: RolloutEvent): Decision {
  const unchanged: Decision = { state, commands: [] };
  if (hasEnded(state)) return unchanged;
  switch (event.kind) {
    case 'routed':
      return state.pending === null ? unchanged : onRouted(state, state.pending, event);
    case 'routingFailed':
      return state.pending === null ? unchanged : onRoutingFailed(state, state.pending, event);
    case 'failed':
      // While the way back is already under way there is nothing safer to do.
      return state.phase === 'rollingBack' ? unchanged : restore(state, 'aborted', event.reason, SLUICE);
    default:
      return state.pending !== null || state.phase === 'rollingBack' ? unchanged : react(state, event);
  }
}

type Settled = Exclude<RolloutEvent, { kind: 'routed' | 'routingFailed' | 'failed' }>;

/** Between two changes of the routing. */
function react(state: RolloutState, event: Settled): Decision {
  const unchanged: Decision = { state, commands: [] };
  switch (event.kind) {
    case 'start':
      return state.phase === 'starting' ? onStart({ ...state, hold: event.hold ?? null }, event.nowMs) : unchanged;
    case 'observed':
      return onObserved(state, event);
    case 'trigger':
      return onTrigger(state, event.trigger);
    case 'release': {
      if (state.releasedStep === null) return unchanged;
      const releasedStep = Math.max(state.releasedStep, event.upToStep);
      return { state: { ...state, releasedStep }, commands: [] };
    }
    case 'approve':
      return refusal(state, event, event.nowMs) === null ? onApproval(state, event) : unchanged;
    default:
      return refusal(state, event, event.nowMs) === null ? onOrder(state, event) : unchanged;
  }
}

function onStart(state: RolloutState, nowMs: number): Decision {
  if (blockers(state, nowMs).length > 0) return { state, commands: [] };
  return forward(state, 0, beginning(state), state.requestedBy);
}

function beginning(state: RolloutState): string {
  return state.champion === null ? 'first version of the model' : 'all at once';
}

function onTrigger(state: RolloutState, trigger: Trigger): Decision {
  if (state.phase === 'frozen') return { state: { ...state, heldTrigger: trigger }, commands: [] };
  return restore(state, 'rolledBack', `${trigger.kind}: ${trigger.reason} (${trigger.by})`, trigger.by);
}

function onObserved(state: RolloutState, event: Observed): Decision {
  const { observation, verdict, nowMs } = event;
  const seen: RolloutState = {
    ...state,
    observation,
    verdict,
    hold: event.hold ?? null,
    adoption: event.adoption ?? state.adoption,
  };
  const hash = evidenceHash(seen);
  const next = { ...seen, approvals: seen.approvals.filter((a) => a.evidenceHash === hash) };
  if (state.phase === 'frozen') return { state: next, commands: [] };
  const trigger = state.heldTrigger ?? event.triggers?.[0];
  if (trigger !== undefined) return onTrigger(next, trigger);
  if (verdict.kind === 'rollback') return restore(next, 'rolledBack', verdict.reason, SLUICE);
  if (state.phase === 'paused') return { state: next, commands: [] };
  const waitsFor = blockers(next, nowMs);
  if (waitsFor.length === 0) return advance(next);
  return waitIsOver(next, nowMs, waitsFor) ? onWaitOver(next, nowMs, waitsFor) : { state: next, commands: [] };
}

function advance(state: RolloutState): Decision {
  if (state.phase === 'starting') return forward(state, 0, beginning(state), state.requestedBy);
  if (state.phase === 'keepWarm') {
    return forward(state, targetStep(state), 'every step passed, and nothing was found after 100 %', SLUICE);
  }
  const reason = state.plan.strategy === 'shadow' ? (state.verdict?.reason ?? '') : 'every step passed';
  return forward(state, targetStep(state), reason, SLUICE);
}

/** The longest wait is over, and the step is not decided. */
function onWaitOver(state: RolloutState, nowMs: number, waitsFor: readonly Blocker[]): Decision {
  const missing = [...new Set(waitsFor.map((b) => b.kind))].join(', ');
  const dated = state.plan.endsAtMs !== null && nowMs >= state.plan.endsAtMs;
  const reason = `undecided ${dated ? 'at its end date' : 'after the longest wait of the step'} (${missing})`;
  const policy = state.plan.steps[state.stepIndex]?.onMaxWait ?? (dated ? 'rollback' : 'hold');
  switch (policy) {
    case 'hold':
      return { state, commands: [] };
    case 'ask':
      return { state: halted(state, 'paused', `${reason}: a person decides`, nowMs), commands: [] };
    case 'rollback': {
      // An experiment that nobody lost says nothing against its candidate.
      const experiment = state.plan.strategy === 'ab' || state.plan.strategy === 'shadow';
      return restore(state, experiment ? 'concluded' : 'rolledBack', reason, SLUICE);
    }
  }
}
