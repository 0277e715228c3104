import { approvalsShown, evidenceHash, targetStep } from './approvals.ts';
import { blockers } from './blockers.ts';
import type { RolloutState } from './events.ts';
import { explain } from './explain.ts';
import { activePhase, bakeTimeMs, hasEnded, stepRequests, stepRequestsMin } from './progress.ts';
import type { EValueShown, NextAction, RolloutSamples, RolloutSnapshot } from './state.ts';

/** What queries, lists and the Temporal UI show. `nowMs`: epoch ms. */
export function snapshot(state: RolloutState, nowMs: number): RolloutSnapshot {
  return {
    rolloutId: state.rolloutId,
    model: state.model,
    candidate: state.candidate,
    champion: state.champion,
    plan: state.plan,
    phase: state.phase,
    stepIndex: state.stepIndex,
    weightPercent: state.weightPercent,
    generation: state.generation,
    routes: state.routes,
    verdict: state.verdict,
    explanation: explain(state, nowMs),
    startedAtMs: state.startedAtMs,
    stepStartedAtMs: state.stepStartedAtMs,
    stepEndsAtMs: stepEndsAtMs(state),
    reason: state.reason,
    evidenceHash: evidenceHash(state),
    approvals: hasEnded(state) ? null : approvalsShown(state, nowMs),
    hold: state.hold,
    eValues: eValues(state),
    samples: samples(state),
    next: nextAction(state, nowMs),
    adoption: state.adoption,
  };
}

function stepEndsAtMs(state: RolloutState): number | null {
  if (state.clockStartedAtMs === null || hasEnded(state)) return null;
  return Math.max(state.clockStartedAtMs, state.clockStartedAtMs + bakeTimeMs(state) - state.bakedMs);
}

function samples(state: RolloutState): RolloutSamples {
  const seen = state.observation;
  return {
    candidate: seen?.candidate.requests ?? 0,
    baseline: seen?.baseline?.requests ?? 0,
    champion: seen?.champion.requests ?? 0,
    shadowPairs: seen?.shadowPairs ?? 0,
    step: stepRequests(state),
    stepMin: stepRequestsMin(state),
  };
}

function eValues({ verdict }: RolloutState): readonly EValueShown[] {
  return (verdict?.evidence ?? []).map(({ metric, event, eValue, threshold, healthEValue, status }) => ({
    metric,
    ...(event === undefined ? {} : { event }),
    eValue,
    threshold,
    ...(healthEValue === undefined ? {} : { healthEValue }),
    ...(status === undefined ? {} : { status }),
  }));
}

function nextAction(state: RolloutState, nowMs: number): NextAction {
  if (hasEnded(state)) return { action: 'none', weightPercent: null, atMs: null };
  if (state.phase === 'rollingBack') return { action: 'end', weightPercent: 0, atMs: null };
  if (state.phase === 'paused' || state.phase === 'frozen') {
    return { action: 'person', weightPercent: null, atMs: null };
  }
  const waitsFor = blockers(state, nowMs);
  const timeAlone = waitsFor.every((b) => b.kind === 'bake');
  const person = !timeAlone && waitsFor.every((b) => b.kind === 'approvals' || b.kind === 'bake');
  const atMs = timeAlone ? stepEndsAtMs(state) : null;
  if (person && waitsFor.length === 1) return { action: 'person', weightPercent: null, atMs: null };
  return { ...whatFollows(state), atMs };
}

function whatFollows(state: RolloutState): Pick<NextAction, 'action' | 'weightPercent'> {
  if (activePhase(state) === 'keepWarm') return { action: 'finish', weightPercent: 100 };
  const step = state.plan.steps[targetStep(state)];
  if (state.plan.strategy === 'shadow') {
    return { action: step === undefined ? 'conclude' : 'step', weightPercent: 0 };
  }
  if (state.champion === null || step === undefined || step.weightPercent >= 100) {
    return { action: 'promote', weightPercent: 100 };
  }
  return { action: 'step', weightPercent: step.weightPercent };
}
