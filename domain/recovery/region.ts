/** Who may take control writes, where several regions share one target. Times named `...Ms` are durations or epoch ms. */

/** A region took the right to control writes. Claims are never changed; the highest one stands. */
export interface RegionClaim {
  readonly epoch: number;
  readonly region: string;
  /** Of the home, random: two homes that were given one name are still two. */
  readonly holder: string;
  /** Epoch ms by the claimer's clock: for people. */
  readonly atMs: number;
  readonly reason: string;
}

/** The owner of an epoch lives. Each renewal is an object of its own, so that a late one cannot hide a later one. */
export interface RegionLease {
  readonly epoch: number;
  readonly seq: number;
  readonly holder: string;
  readonly region: string;
  /** From before the renewal was sent; nobody accepts writes on it for longer. */
  readonly ttlMs: number;
  /** Where the owner's log ended then, as `0/16B3748`; `null`: not known. */
  readonly lsn: string | null;
  /** Epoch ms by the owner's clock: for people. */
  readonly atMs: number;
}

/** The owner of an epoch has stopped taking control writes, before its lease ran out. */
export interface RegionRelease {
  readonly epoch: number;
  readonly region: string;
  /** Where its log ended: a successor that has it all loses nothing. */
  readonly lsn: string | null;
}

export type FailoverMode = 'auto' | 'manual';
export type RegionRole = 'active' | 'standby';

/** Renewed three times within its term: two renewals may fail. */
export const RENEWALS_PER_TERM = 3;

/** Clocks run at most this much apart over one term; also covers a commit that was let through at the last moment. */
function leaseMarginMs(ttlMs: number): number {
  return Math.max(1_000, ttlMs * 0.2);
}

/** Whoever saw the lease last change `quietMs` ago knows that nobody accepts a write on it any more. */
export function hasRunOut(lease: Pick<RegionLease, 'ttlMs'>, quietMs: number): boolean {
  return quietMs > lease.ttlMs + leaseMarginMs(lease.ttlMs);
}
