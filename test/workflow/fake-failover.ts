import { ApplicationFailure } from '@temporalio/common';
import type { ClaimedRegion, FailoverActivities } from '../../activities/region-contract.ts';

export interface FakeFailoverOptions {
  /** How many calls of the hook fail; the ones after them succeed. Default none. */
  readonly hookFails?: number;
  /** Code that the failing hook fails with. Default `unavailable`, which is tried again. */
  readonly hookCode?: string;
}

export interface FakeFailover {
  readonly activities: FailoverActivities;
  /** Names of the activities in the order in which they were called, each retry too. */
  readonly calls: string[];
}

const CLAIMED: ClaimedRegion = { epoch: 2, region: 'west', previous: 'east', released: false, releasedLsn: null };

/** A region that takes over at once, where only the hook may fail. */
export function createFakeFailover({
  hookFails = 0,
  hookCode = 'unavailable',
}: FakeFailoverOptions = {}): FakeFailover {
  const calls: string[] = [];
  let failed = 0;
  const told = <T>(name: string, answer: T): Promise<T> => {
    calls.push(name);
    return Promise.resolve(answer);
  };
  const checks = { rowCounts: [], references: 0, golden: [] };
  return {
    calls,
    activities: {
      lookAtRegions: () =>
        told('lookAtRegions', { region: 'west', owner: 'east', epoch: 1, ownerSilent: true, lagSeconds: 1 }),
      claimRegion: () => told('claimRegion', CLAIMED),
      promoteRegion: ({ epoch, releasedLsn }) =>
        told('promoteRegion', {
          epoch,
          reachedLsn: '0/3000000',
          releasedLsn,
          missingBytes: null,
          rollouts: [],
          checks,
          missingArtefacts: [],
        } as never),
      proveRegion: () =>
        told('proveRegion', { api: 'http://127.0.0.1:1', models: [{ model: 'prices', version: 2, rows: 3 }] }),
      moveTraffic: async () => {
        await told('moveTraffic', null);
        if (failed++ >= hookFails) return 'told balancer.example';
        const nonRetryable = hookCode !== 'unavailable';
        throw ApplicationFailure.create({ type: hookCode, message: 'the balancer answers 503', nonRetryable });
      },
    },
  };
}
