import { runFailoverHook } from '../adapters/failover-hook.ts';
import type { FailoverHook } from '../adapters/region-config.ts';
import { DomainError } from '../domain/errors.ts';
import { promoteRegion, proveServing } from '../recovery/region/fail-over.ts';
import { claimEpoch, outwaitEarlier, type LeaseParty, type LeaseWatch } from '../recovery/region/lease.ts';
import type { Standby } from '../recovery/region/standby.ts';
import type { RestoreTarget } from '../recovery/restore/restore-target.ts';
import { beatWhile } from './beat-while.ts';
import type { FailoverActivities } from './region-contract.ts';

export interface FailoverDeps {
  readonly home: string;
  readonly artefactDir: string;
  readonly party: LeaseParty;
  /** Has seen the lease for as long as the process lives. */
  readonly watch: LeaseWatch;
  readonly standby: Standby;
  readonly openTarget: () => Promise<RestoreTarget>;
  readonly databaseUrl: () => string | null;
  readonly hook: FailoverHook | null;
  readonly allowPrivate: boolean;
  /** The platform of this home was promoted: the lease is held from now on. */
  readonly onPromoted: () => void;
}

/** A failover, as Temporal runs it. Each step may come twice. */
export function createFailoverActivities(deps: FailoverDeps): FailoverActivities {
  const { home, artefactDir, party, watch, standby } = deps;
  return {
    lookAtRegions: async () => {
      const { claim, silent } = await watch.look();
      const { lagSeconds } = standby.status();
      const { region } = party;
      return { region, owner: claim?.region ?? null, epoch: claim?.epoch ?? 0, ownerSilent: silent, lagSeconds };
    },
    claimRegion: ({ reason }) =>
      beatWhile(async (signal) => {
        const before = await party.objects.newestClaim();
        const claim = await claimEpoch(party, reason);
        const { release } = await outwaitEarlier(party, claim, watch, signal);
        const previous = before === null || before.holder === party.holder ? '' : before.region;
        const { epoch, region } = claim;
        const lease = await party.objects.newestLease(epoch);
        const released = release !== null;
        return {
          epoch,
          region,
          previous: previous === '' ? (lease?.region ?? '') : previous,
          released,
          releasedLsn: release?.lsn ?? null,
        };
      }),
    promoteRegion: ({ epoch, region, releasedLsn, by }) =>
      beatWhile(async (signal) => {
        await requireOwn(party, epoch);
        const { openTarget } = deps;
        const promotion = await promoteRegion({
          home,
          artefactDir,
          region,
          standby,
          openTarget,
          epoch,
          releasedLsn,
          by,
          signal,
        });
        deps.onPromoted();
        return promotion;
      }),
    proveRegion: ({ epoch }) =>
      beatWhile(async (signal) => {
        await requireOwn(party, epoch);
        return proveServing({ home, artefactDir, databaseUrl: deps.databaseUrl, signal });
      }),
    moveTraffic: ({ epoch, previous, api }) =>
      beatWhile(async () => {
        // Traffic is never moved to a region that has been taken over meanwhile.
        await requireOwn(party, epoch);
        if (deps.hook === null) return null;
        return runFailoverHook(deps.hook, { region: party.region, epoch, previous, api }, deps);
      }),
  };
}

async function requireOwn({ objects, holder }: LeaseParty, epoch: number): Promise<void> {
  const newest = await objects.newestClaim();
  if (newest?.epoch === epoch && newest.holder === holder) return;
  throw new DomainError('conflict', `Region ${newest?.region ?? 'another'} owns epoch ${newest?.epoch ?? 0} now`);
}
