import { approvers, describeRule, evidenceHash, openRules, rulesAhead } from './approvals.ts';
import { restore, toFinish, toFull } from './changes.ts';
import type { ApprovalOrder, Decision, Order, OrderName, RolloutState } from './events.ts';
import { activePhase, bakedMs, bakeTimeMs, hasEnded, inKeepWarm } from './progress.ts';

/** An order before it is carried out. */
export type OrderDraft =
  | { readonly kind: OrderName; readonly expiresAtMs: number | null }
  | Pick<ApprovalOrder, 'kind' | 'expiresAtMs' | 'by' | 'role' | 'evidenceHash'>;

/** Why an order does not apply now, in words; `null` when it does. */
export function refusal(state: RolloutState, order: OrderDraft, nowMs: number): string | null {
  // Delivered late, because no worker ran: its sender has given up and may have done otherwise.
  if (order.expiresAtMs !== null && nowMs > order.expiresAtMs) {
    return `the command expired at ${new Date(order.expiresAtMs).toISOString()}, before it could be handled`;
  }
  if (hasEnded(state)) return `the rollout of ${state.model} version ${state.candidate} has ended (${state.phase})`;
  if (state.phase === 'rollingBack') return `the traffic of ${state.model} is already going back to the champion`;
  switch (order.kind) {
    case 'promote':
      return promotionRefusal(state, nowMs);
    case 'resume':
      return state.pausedFrom === null ? 'the rollout is not paused' : null;
    case 'pause':
      if (state.phase === 'frozen') return 'the rollout is frozen: resume it first';
      return state.phase === 'paused' ? 'the rollout is paused already' : null;
    case 'freeze':
      return state.phase === 'frozen' ? 'the rollout is frozen already' : null;
    case 'skipBake':
      if (activePhase(state) === 'starting') return 'no step has begun: there is no bake time to skip';
      return bakedMs(state, nowMs) >= bakeTimeMs(state) ? 'the bake time is over already' : null;
    case 'approve':
      return approvalRefusal(state, order, nowMs);
    default:
      return null;
  }
}

/** A person may go on without evidence, but not over the heads of those who have to agree. */
function promotionRefusal(state: RolloutState, nowMs: number): string | null {
  if (state.plan.strategy === 'shadow') return 'a shadow ends with a verdict; start a rollout to promote the version';
  if (state.hold?.kind === 'stopTheLine') return `stop-the-line: ${state.hold.reason}`;
  if (state.releasedStep !== null) return 'the rollout belongs to a group, whose members are promoted together';
  const open = openRules(state, nowMs, true);
  if (open.length === 0) return null;
  return `it needs the approval of ${open.map((rule) => describeRule(state, rule, nowMs)).join(' and of ')} first`;
}

function approvalRefusal(
  state: RolloutState,
  order: Extract<OrderDraft, { kind: 'approve' }>,
  nowMs: number,
): string | null {
  if (state.phase === 'frozen') return 'the rollout is frozen: resume it first';
  const rules = rulesAhead(state, true).filter((rule) => rule.role === order.role);
  if (rules.length === 0) return `no step that is left needs the approval of the role ${order.role}`;
  const hash = evidenceHash(state);
  if (order.evidenceHash !== hash) {
    return `the evidence is another by now: look at it and name its hash (${hash})`;
  }
  if (rules.every((rule) => approvers(state, rule, nowMs).includes(order.by))) {
    return `${order.by} has approved this as ${order.role} already`;
  }
  return null;
}

/** What follows from an order that applies. */
export function onOrder(state: RolloutState, order: Order): Decision {
  const reason = inWords(order.kind, order);
  switch (order.kind) {
    case 'promote':
      return inKeepWarm(state) ? toFinish(state, reason, order.by) : toFull(state, reason, order.by);
    case 'abort':
      return restore(state, 'aborted', reason, order.by);
    case 'rollback':
      return restore(state, 'rolledBack', reason, order.by);
    case 'pause':
      return { state: halted(state, 'paused', reason, order.nowMs), commands: [] };
    case 'freeze':
      return { state: halted(state, 'frozen', reason, order.nowMs), commands: [] };
    case 'skipBake':
      return { state: { ...state, bakeSkipped: true, reason }, commands: [] };
    case 'resume': {
      const phase = activePhase(state);
      const clockStartedAtMs = phase === 'starting' ? null : order.nowMs;
      // Whoever resumes has decided to wait on: the longest wait counts anew.
      const waitFromMs = state.bakedMs;
      return { state: { ...state, phase, pausedFrom: null, clockStartedAtMs, waitFromMs, reason }, commands: [] };
    }
  }
}

/** Records the approval; whether it is enough is seen at the next look. */
export function onApproval(state: RolloutState, order: ApprovalOrder): Decision {
  const { role, by, decision, evidenceHash: hash, nowMs, reason } = order;
  const approval = { role, by, decision, reason, evidenceHash: hash, atMs: nowMs };
  const next: RolloutState = { ...state, approvals: [...state.approvals, approval] };
  if (decision === 'approve') return { state: next, commands: [] };
  const words = `${inWords('rejected', order)} (as ${role})`;
  const rule = rulesAhead(state, true).find((r) => r.role === role);
  if (rule?.onReject === 'hold') return { state: halted(next, 'paused', words, nowMs), commands: [] };
  return restore(next, 'rolledBack', words, by);
}

/** Stands still until somebody resumes: `paused` may still roll back by itself, `frozen` does nothing. */
export function halted(state: RolloutState, phase: 'paused' | 'frozen', reason: string, nowMs: number): RolloutState {
  const pausedFrom = state.pausedFrom ?? (state.phase as Exclude<RolloutState['pausedFrom'], null>);
  return { ...state, phase, pausedFrom, bakedMs: bakedMs(state, nowMs), clockStartedAtMs: null, reason };
}

function inWords(what: string, { by, reason }: { readonly by: string; readonly reason: string }): string {
  return reason === '' ? `${what} by ${by}` : `${what} by ${by}: ${reason}`;
}
