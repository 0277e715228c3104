import { personNeeded } from './asking.ts';
import type { RolloutState } from './events.ts';
import { explain } from './explain.ts';

/** What people outside are told of a rollout. */
export const ROLLOUT_NOTICES = [
  'rollout.started',
  'rollout.step',
  'rollout.verdict',
  'rollout.approvalNeeded',
  'rollout.rollback',
  'rollout.promoted',
  'rollout.ended',
] as const;
export type RolloutNoticeKind = (typeof ROLLOUT_NOTICES)[number];

export interface RolloutNotice {
  /** Unique per rollout and notice: a receiver that hears it twice knows it by this. */
  readonly id: string;
  readonly kind: RolloutNoticeKind;
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly phase: string;
  readonly weightPercent: number;
  /** One sentence for a person. */
  readonly message: string;
  readonly reason: string | null;
  /** Epoch ms. */
  readonly atMs: number;
}

/** What is worth telling about the way from one state to the next. */
export function noticesOf(before: RolloutState, after: RolloutState, nowMs: number): readonly RolloutNotice[] {
  const kinds = kindsOf(before, after, nowMs);
  return kinds.map(([kind, message]) => ({
    id: `${after.rolloutId}/${kind.slice('rollout.'.length)}/${nowMs}`,
    kind,
    rolloutId: after.rolloutId,
    model: after.model,
    candidate: after.candidate,
    champion: after.champion,
    phase: after.phase,
    weightPercent: after.weightPercent,
    message,
    reason: after.reason,
    atMs: nowMs,
  }));
}

type Said = readonly [kind: RolloutNoticeKind, message: string];

function kindsOf(before: RolloutState, after: RolloutState, nowMs: number): readonly Said[] {
  const said: Said[] = [];
  const name = `${after.model} version ${after.candidate}`;
  const { now } = explain(after, nowMs);
  const begun = before.phase === 'starting' && after.phase !== 'starting';
  if (begun) said.push(['rollout.started', `The rollout of ${name} has begun: ${now}`]);
  else if (after.weightPercent > before.weightPercent) said.push(['rollout.step', `${name}: ${now}`]);
  const verdict = after.verdict;
  if (verdict !== null && verdict.kind !== (before.verdict?.kind ?? 'inconclusive')) {
    said.push(['rollout.verdict', `${name} is ${verdict.kind}: ${verdict.reason}`]);
  }
  if ((after.asked?.ordinal ?? 0) > (before.asked?.ordinal ?? 0)) {
    said.push(['rollout.approvalNeeded', `${name}: ${personNeeded(after, nowMs) ?? now}`]);
  }
  if (after.phase !== before.phase) {
    if (after.phase === 'rolledBack' || after.phase === 'aborted')
      said.push(['rollout.rollback', `${name} was ${now}`]);
    if (after.phase === 'promoted') said.push(['rollout.promoted', `${name} is promoted: ${now}`]);
    if (after.phase === 'concluded') said.push(['rollout.ended', `The rollout of ${name} has ${now}`]);
  }
  return said;
}
