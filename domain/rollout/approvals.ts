import { murmur3 } from '../assignment.ts';
import type { RolloutState } from './events.ts';
import type { ApprovalRule } from './plan.ts';
import { activePhase } from './progress.ts';
import type { ApprovalsShown } from './state.ts';

/**
 * What an approval is bound to: the step, and what speaks against the candidate, in metrics that are only watched as
 * well: those decide nothing by themselves, but for the person who looks at them. The counters change with every
 * request, and evidence of health comes and goes around its threshold: a hash over those would void an approval at the
 * next look. Where a step takes health, it is asked for at that look anyway, whoever has approved (decision 0018).
 */
export function evidenceHash(state: RolloutState): string {
  const { rolloutId, candidate, stepIndex, verdict, bindsWatched } = state;
  const begun = activePhase(state) === 'starting' ? 'before' : 'in';
  const against = (verdict?.evidence ?? [])
    .filter((e) => e.status === 'breached' && (bindsWatched === true || e.action !== 'watch'))
    .map((e) => (e.event === undefined ? e.metric : `${e.metric}/${e.event}`))
    .sort();
  const harm = [verdict?.kind === 'rollback', verdict?.sampleRatio?.ok === false, against];
  const text = JSON.stringify([rolloutId, candidate, begun, stepIndex, harm]);
  const hex = (seed: number): string => murmur3(text, seed).toString(16).padStart(8, '0');
  return `${hex(0)}${hex(1)}`;
}

/** Index of the step the rollout takes next; the number of steps once only the end is left. */
export function targetStep(state: RolloutState): number {
  const phase = activePhase(state);
  if (phase === 'starting') return 0;
  return phase === 'running' ? state.stepIndex + 1 : state.plan.steps.length;
}

/** Rules of the next step; of all steps left for a candidate that gets everything at once. */
export function rulesAhead(state: RolloutState, all: boolean): readonly ApprovalRule[] {
  const target = targetStep(state);
  const steps = all ? state.plan.steps.slice(target) : state.plan.steps.slice(target, target + 1);
  return steps.flatMap((s) => s.approvals ?? []);
}

/** Distinct persons whose approval under the rule counts now. */
export function approvers(state: RolloutState, rule: ApprovalRule, nowMs: number): readonly string[] {
  const hash = evidenceHash(state);
  const names = state.approvals
    .filter((a) => a.decision === 'approve' && a.role === rule.role && a.evidenceHash === hash)
    .filter((a) => nowMs < a.atMs + rule.expiresAfterMs)
    .map((a) => a.by);
  return [...new Set(names)];
}

function isSatisfied(state: RolloutState, rule: ApprovalRule, nowMs: number): boolean {
  return approvers(state, rule, nowMs).length >= rule.persons;
}

/** Rules that still lack an approval. */
export function openRules(state: RolloutState, nowMs: number, all: boolean): readonly ApprovalRule[] {
  return rulesAhead(state, all).filter((rule) => !isSatisfied(state, rule, nowMs));
}

/** `null` when the next step needs none. */
export function approvalsShown(state: RolloutState, nowMs: number): ApprovalsShown | null {
  const rules = rulesAhead(state, state.champion === null);
  if (rules.length === 0) return null;
  const shown = rules.map((rule) => {
    const approvedBy = approvers(state, rule, nowMs);
    return { ...rule, approvedBy, satisfied: approvedBy.length >= rule.persons };
  });
  return { stepIndex: targetStep(state), rules: shown, satisfied: shown.every((r) => r.satisfied) };
}

/** One line on who is missing: `security (1 of 2, bob)`. */
export function describeRule(state: RolloutState, rule: ApprovalRule, nowMs: number): string {
  const names = approvers(state, rule, nowMs);
  const role = ROLE_WORDS[rule.role];
  if (rule.persons === 1) return role;
  return `${role} (${[`${names.length} of ${rule.persons} persons`, ...names].join(', ')})`;
}

const ROLE_WORDS: Readonly<Record<ApprovalRule['role'], string>> = {
  techLead: 'tech lead',
  security: 'security',
  productOwner: 'product owner',
  executive: 'executive',
};
