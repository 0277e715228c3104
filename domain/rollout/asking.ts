import { approvers, describeRule, evidenceHash, rulesAhead, targetStep } from './approvals.ts';
import { blockers } from './blockers.ts';
import type { Decision, RolloutEvent, RolloutState } from './events.ts';

/** Asked about something else than the approval of a step. */
const NO_STEP = -1;

/** What a person has to do before the rollout goes on; `null`: nothing. */
export function personNeeded(state: RolloutState, nowMs: number): string | null {
  if (state.phase === 'paused') return state.reason;
  if (state.phase !== 'starting' && state.phase !== 'running') return null;
  const waitsFor = blockers(state, nowMs);
  const approvals = waitsFor.find((b) => b.kind === 'approvals');
  if (approvals === undefined || waitsFor.some((b) => b.kind !== 'approvals' && b.kind !== 'hold')) return null;
  const who = approvals.rules.map((rule) => describeRule(state, rule, nowMs)).join(' and ');
  return `step ${targetStep(state) + 1} needs the approval of ${who} on evidence ${evidenceHash(state)}`;
}

/**
 * People are asked once per step. What else the step waits for may come and go, and whoever was asked needs not hear of
 * it; they are asked again when an approval that counted counts no more. A pause that no person ordered asks as well.
 */
export function withAsking(before: RolloutState, { state, commands }: Decision, event: RolloutEvent): Decision {
  const { nowMs } = event;
  const last = before.asked ?? { ordinal: 0, stepIndex: NO_STEP, given: 0 };
  const stepIndex = targetStep(state);
  const given = approvalsThatCount(state, nowMs);
  const ask = (step: number): Decision => {
    return { state: { ...state, asked: { ordinal: last.ordinal + 1, stepIndex: step, given } }, commands };
  };
  if (state.phase === 'paused') {
    return before.phase !== 'paused' && event.kind !== 'pause' ? ask(NO_STEP) : { state, commands };
  }
  const askedFor = last.stepIndex === stepIndex && given >= last.given;
  if (!askedFor) {
    if (personNeeded(state, nowMs) !== null) return ask(stepIndex);
    // An approval was lost: whoever gave it is asked once everything else is ready.
    return last.stepIndex === stepIndex
      ? { state: { ...state, asked: { ...last, stepIndex: NO_STEP } }, commands }
      : { state, commands };
  }
  return given === last.given ? { state, commands } : { state: { ...state, asked: { ...last, given } }, commands };
}

function approvalsThatCount(state: RolloutState, nowMs: number): number {
  const rules = rulesAhead(state, state.champion === null);
  return rules.reduce((sum, rule) => sum + approvers(state, rule, nowMs).length, 0);
}
