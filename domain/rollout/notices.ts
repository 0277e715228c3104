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
