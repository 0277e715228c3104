import { openRules, targetStep } from './approvals.ts';
import type { RolloutState } from './events.ts';
import type { ApprovalRule } from './plan.ts';
import {
  activePhase,
  bakedMs,
  bakeTimeMs,
  isMeasured,
  stepRequests,
  stepRequestsMin,
  waitEndsAtMs,
} from './progress.ts';
import type { Hold } from './state.ts';

/** One thing the next step waits for. */
export type Blocker =
  | { readonly kind: 'bake'; readonly leftMs: number }
  | { readonly kind: 'traffic'; readonly requests: number; readonly min: number }
  /** Not shown to be healthy, or something speaks against it that is not proven yet. */
  | { readonly kind: 'evidence'; readonly reason: string }
  | { readonly kind: 'adoption'; readonly waitingFor: readonly string[] }
  | { readonly kind: 'approvals'; readonly rules: readonly ApprovalRule[] }
  | { readonly kind: 'hold'; readonly hold: Hold }
  | { readonly kind: 'group'; readonly step: number };

/** Everything the next step waits for; none: it is taken. A person's pause is no blocker, it is a phase. */
export function blockers(state: RolloutState, nowMs: number): readonly Blocker[] {
  const found: Blocker[] = [];
  const left = activePhase(state) === 'starting' ? 0 : bakeTimeMs(state) - bakedMs(state, nowMs);
  if (left > 0) found.push({ kind: 'bake', leftMs: left });
  const requests = stepRequests(state);
  const min = stepRequestsMin(state);
  if (requests < min) found.push({ kind: 'traffic', requests, min });
  const missing = isMeasured(state) ? missingEvidence(state) : null;
  if (missing !== null) found.push({ kind: 'evidence', reason: missing });
  if (activePhase(state) === 'running' && state.adoption?.adopted === false) {
    found.push({ kind: 'adoption', waitingFor: state.adoption.waitingFor });
  }
  const rules = openRules(state, nowMs, state.champion === null);
  if (rules.length > 0) found.push({ kind: 'approvals', rules });
  if (state.hold !== null) found.push({ kind: 'hold', hold: state.hold });
  const step = targetStep(state);
  if (state.releasedStep !== null && step > state.releasedStep) found.push({ kind: 'group', step });
  return found;
}

/** Whether the step has waited as long as it may for what evidence, traffic or people still owe it. */
export function waitIsOver(state: RolloutState, nowMs: number, waitsFor: readonly Blocker[]): boolean {
  const endsAtMs = waitEndsAtMs(state, nowMs);
  if (endsAtMs === null || nowMs < endsAtMs || waitsFor.length === 0) return false;
  // Stop-the-line, a closed calendar, and the others of a group are nobody's fault.
  return !waitsFor.some((b) => b.kind === 'hold' || b.kind === 'group');
}

/** Why the evidence does not carry the next step; `null` when it does. */
function missingEvidence({ plan, verdict }: RolloutState): string | null {
  if (verdict === null) return 'nothing has been observed yet';
  if (verdict.kind === 'rollback') return verdict.reason;
  if (verdict.sampleRatio?.ok === false) return 'the observed split does not fit the weights';
  if (plan.advance === 'healthy') return verdict.kind === 'healthy' ? null : verdict.reason;
  const against = verdict.evidence.filter((e) => e.action !== 'watch' && e.status === 'breached');
  return against.length === 0 ? null : verdict.reason;
}
