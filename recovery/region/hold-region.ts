import { createDatabase } from '../../db/connect.ts';
import { createRegionStore, type RegionStore } from '../../db/region-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { RENEWALS_PER_TERM, type RegionClaim } from '../../domain/recovery/region.ts';
import { claimEpoch, outwaitEarlier, renewLease, watchLease, type LeaseParty, type LeaseTable } from './lease.ts';

/** Of the lease's own two connections; a renewal that takes longer is one that failed. */
const STATEMENT_TIMEOUT_MS = 2_000;
const RETRY_MS = 500;

export interface HeldRegion {
  readonly lease: 'held' | 'not held' | 'fenced';
  readonly owner: string | null;
  readonly epoch: number;
  /** When the lease runs out, by `party.monotonicMs`; 0: it does not run. */
  readonly deadlineMs: number;
  readonly problem: string | null;
}

export interface HoldOptions {
  readonly party: LeaseParty;
  /** `null`: the database does not run (yet). */
  readonly databaseUrl: () => string | null;
  readonly tell: (held: HeldRegion) => void;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

/**
 * Keeps the lease of this region's epoch, so that its database takes control writes, until the signal or until another
 * region owns a higher epoch: from then on the database refuses them, naming the owner. A lease that cannot be renewed
 * runs out by the database's own clock, whatever becomes of this process.
 */
export async function holdRegion(options: HoldOptions, signal: AbortSignal): Promise<void> {
  const { party, log } = options;
  let told = '';
  const tell = (held: HeldRegion): void => {
    options.tell(held);
    const now = `${held.lease} ${held.epoch}`;
    if (now === told) return;
    told = now;
    const details = { region: party.region, epoch: held.epoch, owner: held.owner, problem: held.problem };
    if (held.lease === 'held') log.info(details, 'this region takes control writes');
    else log.error(details, 'this region takes no control writes');
  };
  let until = { claim: null as RegionClaim | null, deadlineMs: 0 };
  while (!signal.aborted) {
    try {
      await withStore(options, async (store) => {
        const claim = await ownClaim(party, store, tell);
        if (claim === null) return;
        until = { claim, deadlineMs: 0 };
        await renewOn(options, { claim, store, tell, onHeld: (ms) => (until = { claim, deadlineMs: ms }) }, signal);
      });
    } catch (error) {
      if (isAborted(signal)) break;
      const problem = error instanceof Error ? error.message : String(error);
      const { claim, deadlineMs } = until;
      const runs = party.monotonicMs() < deadlineMs;
      const where = { owner: claim?.region ?? null, epoch: claim?.epoch ?? 0, problem };
      tell({ lease: runs ? 'held' : 'not held', deadlineMs: runs ? deadlineMs : 0, ...where });
    }
    if (!isAborted(signal)) await party.sleep(RETRY_MS);
  }
}

/** The type checker takes an earlier look at `aborted` for the last word. */
const isAborted = (signal: AbortSignal): boolean => signal.aborted;

async function withStore({ databaseUrl }: HoldOptions, work: (store: RegionStore) => Promise<void>): Promise<void> {
  const url = databaseUrl();
  if (url === null) throw new DomainError('unavailable', 'the database of this region does not run');
  const database = createDatabase(url, {
    applicationName: 'sluice-region',
    poolConnectionsMax: 2,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    operationTimeoutMs: STATEMENT_TIMEOUT_MS,
  });
  try {
    await work(createRegionStore(database));
  } finally {
    await database.close();
  }
}

/** The claim of this home; the first of all where there is none. `null`: another region's, which the database now names. */
async function ownClaim(
  party: LeaseParty,
  store: RegionStore,
  tell: (held: HeldRegion) => void,
): Promise<RegionClaim | null> {
  // Asked first: a database that does not answer must not claim anything.
  await store.state();
  const newest = await party.objects.newestClaim();
  if (newest === null) return claimEpoch(party, 'the first region');
  if (newest.holder === party.holder) return newest;
  await tableOf(store, party.region).revoke(newest);
  tell({ lease: 'fenced', owner: newest.region, epoch: newest.epoch, deadlineMs: 0, problem: null });
  await party.sleep(party.ttlMs / RENEWALS_PER_TERM);
  return null;
}

interface Holding {
  readonly claim: RegionClaim;
  readonly store: RegionStore;
  readonly tell: (held: HeldRegion) => void;
  readonly onHeld: (deadlineMs: number) => void;
}

async function renewOn(
  { party }: HoldOptions,
  { claim, store, tell, onHeld }: Holding,
  signal: AbortSignal,
): Promise<void> {
  await outwaitEarlier(party, claim, watchLease(party), signal);
  const last = await party.objects.newestLease(claim.epoch + 1);
  let seq = last?.epoch === claim.epoch ? last.seq : 0;
  const table = tableOf(store, party.region);
  const [owner, epoch] = [claim.region, claim.epoch];
  while (!signal.aborted) {
    const beganMs = party.monotonicMs();
    const renewal = await renewLease(party, claim, ++seq, table);
    if (renewal.kind === 'lost') {
      tell({ lease: 'fenced', owner: renewal.to.region, epoch: renewal.to.epoch, deadlineMs: 0, problem: null });
      return;
    }
    const deadlineMs = beganMs + party.ttlMs;
    onHeld(deadlineMs);
    tell({ lease: 'held', owner, epoch, deadlineMs, problem: null });
    await party.sleep(party.ttlMs / RENEWALS_PER_TERM);
  }
}

/** The database joins the region with its first lease, so that no write in between is refused. */
function tableOf(store: RegionStore, region: string): LeaseTable {
  return {
    now: () => store.now(),
    grant: async (claim, untilMs) => {
      await store.grant(claim, untilMs);
      await store.join(region);
    },
    revoke: async (owner) => {
      await store.join(region);
      return store.revoke(owner);
    },
  };
}
