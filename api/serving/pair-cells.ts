import type { ShadowCountsRow } from '../../db/rollout-ports.ts';
import type { Route, RoutingTable } from '../../domain/routing.ts';

type Sums = Omit<ShadowCountsRow, 'instance' | 'sequence' | 'model' | 'rolloutId' | 'version' | 'windowStartMs'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** One row of the sums as it is cut, before it is numbered. */
export type CutPairs = Omit<ShadowCountsRow, 'instance' | 'sequence'>;

/** Differences are the shadow's minus the client's answer. */
export interface Pair {
  readonly disagrees: boolean;
  readonly scoreDiff: number;
  readonly latencyDiffMs: number;
}

const NO_SUMS: Sums = {
  pairs: 0,
  disagreements: 0,
  shadowErrors: 0,
  dropped: 0,
  scoreDiffSum: 0,
  scoreDiffSumOfSquares: 0,
  latencyDiffSumMs: 0,
  latencyDiffSumOfSquaresMs: 0,
};

export function addPair(sums: Mutable<Sums>, { disagrees, scoreDiff, latencyDiffMs }: Pair): void {
  sums.pairs += 1;
  if (disagrees) sums.disagreements += 1;
  sums.scoreDiffSum += scoreDiff;
  sums.scoreDiffSumOfSquares += scoreDiff * scoreDiff;
  sums.latencyDiffSumMs += latencyDiffMs;
  sums.latencyDiffSumOfSquaresMs += latencyDiffMs * latencyDiffMs;
}

/** The sums of pairs in memory, a cell per shadow of a rollout; cut into windows and forgotten when written. */
export class PairCells {
  readonly #open = new Map<string, Mutable<CutPairs>>();

  get hasOpenWindows(): boolean {
    return this.#open.size > 0;
  }

  of({ model, rolloutId }: RoutingTable, { version }: Route): Mutable<CutPairs> {
    const key = `${model}/${rolloutId ?? '-'}/${version}`;
    const known = this.#open.get(key);
    if (known !== undefined) return known;
    const cell = { model, rolloutId, version, windowStartMs: Date.now(), ...NO_SUMS };
    this.#open.set(key, cell);
    return cell;
  }

  cutWindows(): readonly CutPairs[] {
    const cut = [...this.#open.values()];
    this.#open.clear();
    return cut;
  }
}
