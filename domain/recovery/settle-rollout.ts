import type { Route } from '../routing.ts';

/** The next generation of a model in a new epoch is above everything that an older epoch can have written. */
const GENERATIONS_PER_EPOCH = 1_000_000;

/** A rollout as a restored database knows it: nobody steers it any more. */
export interface StrandedRollout {
  readonly rolloutId: string;
  readonly model: string;
  readonly candidate: number;
  /** `null`: nothing served before it. */
  readonly champion: number | null;
  readonly phase: string;
  /** The alias, as restored. */
  readonly championAlias: number | null;
}

export interface SettledRollout {
  readonly rolloutId: string;
  readonly model: string;
  readonly outcome: 'promoted' | 'aborted';
  /** `null`: the routes stay. */
  readonly routes: readonly Route[] | null;
  /** One sentence for the report. */
  readonly reason: string;
}

/**
 * Brings a stranded rollout to the safe state: the version that was proven serves alone. A rollout whose candidate
 * is the champion already only ends; a first version, with nothing to go back to, goes on serving.
 */
export function settleRollout(rollout: StrandedRollout): SettledRollout {
  const { rolloutId, model, candidate, champion, championAlias, phase } = rollout;
  const alone = (version: number): readonly Route[] => [{ variant: 'champion', version, weightPercent: 100 }];
  const say = (text: string): string => `${text} (restored in phase ${phase})`;
  if (championAlias === candidate) {
    const reason = say(`version ${candidate} was promoted already and keeps all traffic`);
    return { rolloutId, model, outcome: 'promoted', routes: alone(candidate), reason };
  }
  const proven = championAlias ?? champion;
  if (proven === null) {
    const reason = say(`version ${candidate} has no version before it to go back to: its traffic stays as it was`);
    return { rolloutId, model, outcome: 'aborted', routes: null, reason };
  }
  const reason = say(`version ${proven} serves all traffic again, version ${candidate} none; start the rollout anew`);
  return { rolloutId, model, outcome: 'aborted', routes: alone(proven), reason };
}

/** The generation after `generation` in an epoch: one on, and not below the first of the epoch. */
export function nextGeneration(generation: number, epoch: number): number {
  return Math.max(generation + 1, epoch * GENERATIONS_PER_EPOCH);
}
