import { DomainError } from '../../domain/errors.ts';
import { hasRunOut, type RegionClaim, type RegionLease, type RegionRelease } from '../../domain/recovery/region.ts';
import type { RegionObjects } from './region-objects.ts';

/** A region's own database, in which every control write asks whether the lease still runs. */
export interface LeaseTable {
  /** By the clock that the writes are held against, epoch ms; and where the log ends. */
  now(): Promise<{ readonly atMs: number; readonly lsn: string | null }>;
  /** Control writes are taken until then, by the same clock. */
  grant(claim: RegionClaim, untilMs: number): Promise<void>;
  /** None are taken from now on, and none is under way any more. @returns where the log ends */
  revoke(owner: RegionClaim): Promise<string | null>;
}

export interface LeaseParty {
  readonly region: string;
  readonly holder: string;
  readonly ttlMs: number;
  readonly objects: RegionObjects;
  /** Runs on while the machine's date is set; ms. */
  readonly monotonicMs: () => number;
  /** Epoch ms, for people. */
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
}

export type Renewal =
  { readonly kind: 'held'; readonly untilMs: number } | { readonly kind: 'lost'; readonly to: RegionClaim };

/**
 * Renews the lease of an epoch once. The order is what makes it safe: the clock is read before the renewal is stored,
 * and claims are read after it. A successor claims first and reads leases then: one of the two sees the other.
 * @throws DomainError `unavailable` when the target does not answer: the lease that runs goes on running out
 */
export async function renewLease(
  { objects, ttlMs, nowMs }: Pick<LeaseParty, 'objects' | 'ttlMs' | 'nowMs'>,
  claim: RegionClaim,
  seq: number,
  table: LeaseTable,
): Promise<Renewal> {
  const { epoch, region, holder } = claim;
  const before = await table.now();
  await objects.renew({ epoch, seq, region, holder, ttlMs, lsn: before.lsn, atMs: nowMs() });
  const newest = await objects.newestClaim();
  if (newest === null || newest.epoch !== epoch || newest.holder !== holder) {
    if (newest === null)
      throw new DomainError('artefactCorrupt', `The claim of epoch ${epoch} is gone from the target`);
    const lsn = await table.revoke(newest);
    await objects.release({ epoch, region, lsn });
    return { kind: 'lost', to: newest };
  }
  const untilMs = before.atMs + ttlMs;
  await table.grant(claim, untilMs);
  return { kind: 'held', untilMs };
}

/** What somebody who does not own the newest epoch has seen of the one who does. */
export interface LeaseSight {
  readonly claim: RegionClaim | null;
  readonly lease: RegionLease | null;
  /** The owner has said nothing for so long that its lease must have run out: time to take over. */
  readonly silent: boolean;
  /** Ms for which it has said nothing, by this party's own clock. */
  readonly quietMs: number;
}

export interface LeaseWatch {
  /** @throws DomainError when the target does not answer: then nothing is known, and nobody is silent */
  look(): Promise<LeaseSight>;
  /** The newest lease below an epoch, and whether it has certainly run out. */
  lookBelow(epoch: number): Promise<{ readonly lease: RegionLease | null; readonly runOut: boolean }>;
}

/** Remembers when a lease was last seen to change. A new watch has seen nothing and waits a whole term. */
export function watchLease({
  objects,
  monotonicMs,
  ttlMs,
}: Pick<LeaseParty, 'objects' | 'monotonicMs' | 'ttlMs'>): LeaseWatch {
  const claims = createMemory(monotonicMs);
  const leases = createMemory(monotonicMs);
  const below = async (epoch: number) => {
    const askedMs = monotonicMs();
    const lease = await objects.newestLease(epoch);
    const quietMs = leases.quietMs(lease === null ? 'none' : `${lease.epoch}/${lease.seq}`, askedMs);
    return { lease, quietMs };
  };
  return {
    lookBelow: async (epoch) => {
      const { lease, quietMs } = await below(epoch);
      return { lease, runOut: lease === null || hasRunOut(lease, quietMs) };
    },
    look: async () => {
      const askedMs = monotonicMs();
      const claim = await objects.newestClaim();
      const claimedMs = claims.quietMs(String(claim?.epoch ?? 0), askedMs);
      const { lease, quietMs } = await below((claim?.epoch ?? 0) + 1);
      // Whoever has just claimed is given the time to begin.
      const quiet = Math.min(quietMs, claimedMs);
      return { claim, lease, quietMs: quiet, silent: hasRunOut(lease ?? { ttlMs }, quiet) };
    },
  };
}

/** For how long something has been seen to be the same. */
function createMemory(monotonicMs: () => number) {
  let seen: { readonly name: string; readonly sinceMs: number } | null = null;
  return {
    /** From the answer that first named it (it was so before) to the latest question (a late answer tells of then). */
    quietMs(name: string, askedMs: number): number {
      if (seen?.name !== name) seen = { name, sinceMs: monotonicMs() };
      return Math.max(0, askedMs - seen.sinceMs);
    },
  };
}

/** How long a successor waits between two looks. */
const LOOK_EVERY_MS = 250;

export interface TakenEpoch {
  readonly claim: RegionClaim;
  /** Of the owner before, when it stopped in order; `null`: its lease ran out. */
  readonly release: RegionRelease | null;
}

/** Claims the epoch above the newest; a claim that this holder has already is kept. @throws DomainError `conflict` */
export async function claimEpoch(
  { objects, region, holder, nowMs }: Pick<LeaseParty, 'objects' | 'region' | 'holder' | 'nowMs'>,
  reason: string,
): Promise<RegionClaim> {
  const newest = await objects.newestClaim();
  if (newest?.holder === holder) return newest;
  const claim: RegionClaim = { epoch: (newest?.epoch ?? 0) + 1, region, holder, atMs: nowMs(), reason };
  if (await objects.claim(claim)) return claim;
  const winner = await objects.newestClaim();
  throw new DomainError('conflict', `Epoch ${claim.epoch} was claimed by region ${winner?.region ?? 'another'} first`);
}

/**
 * Waits until no earlier owner accepts control writes any more: it said so, or its lease has run out.
 * @throws DomainError `conflict` when somebody claims a higher epoch meanwhile
 */
export async function outwaitEarlier(
  party: Pick<LeaseParty, 'objects' | 'sleep'>,
  claim: RegionClaim,
  watch: LeaseWatch,
  signal?: AbortSignal,
): Promise<TakenEpoch> {
  for (;;) {
    signal?.throwIfAborted();
    const newest = await party.objects.newestClaim();
    if (newest?.holder !== claim.holder || newest.epoch !== claim.epoch)
      throw new DomainError(
        'conflict',
        `Region ${newest?.region ?? 'another'} has claimed epoch ${newest?.epoch ?? 0}`,
      );
    const { lease, runOut } = await watch.lookBelow(claim.epoch);
    if (lease === null) return { claim, release: null };
    const release = await party.objects.released(lease.epoch);
    if (release !== null || runOut) return { claim, release };
    await party.sleep(LOOK_EVERY_MS);
  }
}
