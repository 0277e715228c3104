/**
 * The process of several standby regions in one, for tests that kill it: each failover has a home, a group of regions and
 * a hook of its own, by the name before the dot in its id, and stops for good at the point that its name says. A worker
 * that is not armed goes through.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { withFailures } from '../../../activities/failures.ts';
import { createFailoverActivities } from '../../../activities/region-activities.ts';
import type { FailoverActivities } from '../../../activities/region-contract.ts';
import type { FailoverHook } from '../../../adapters/region-config.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { holdRegion } from '../../../recovery/region/hold-region.ts';
import { watchLease, type LeaseParty } from '../../../recovery/region/lease.ts';
import { ownDatabaseUrl } from '../../../recovery/region/own-database.ts';
import { openRegionHome } from '../../../recovery/region/region-home.ts';
import { createRegionObjects } from '../../../recovery/region/region-objects.ts';
import { createStandby, type Standby } from '../../../recovery/region/standby.ts';
import { loadVaultKeys, type VaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';

export interface FailoverCase {
  readonly name: string;
  readonly hook: FailoverHook | null;
  readonly allowPrivate: boolean;
}

export interface FailoverWorkerOrder {
  readonly address: string;
  readonly taskQueue: string;
  readonly bundle: string;
  /** Below it each case has `home`, and `group` for claims and leases. */
  readonly dir: string;
  /** Folder target with the sets and the log that all follow. */
  readonly shared: string;
  readonly signingKey: string;
  readonly identityFile: string;
  readonly recipient: string;
  readonly ttlMs: number;
  readonly cases: readonly FailoverCase[];
  readonly armed: boolean;
}

const LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };
const held: unknown[] = [];
const standbys: Standby[] = [];
const halt = new AbortController();

/** Of the failover whose activity runs here; what follows by itself has none. */
function caseHere(): string {
  try {
    return Context.current().info.workflowExecution?.workflowId.split('.')[0] ?? '';
  } catch {
    return '';
  }
}

function gateOf(armed: boolean) {
  return async (point: string): Promise<void> => {
    if (!armed || caseHere() !== point) return;
    process.send?.({ at: point });
    // Kept, so that nothing that it waits with is tidied up by the collector.
    await new Promise((resolve) => held.push(resolve));
  };
}

type Gate = ReturnType<typeof gateOf>;

function partyOf(order: FailoverWorkerOrder, dir: string, keys: VaultKeys, gate: Gate): LeaseParty {
  const objects = createRegionObjects(createFolderStore(join(dir, 'group')), keys);
  return {
    region: 'west',
    holder: openRegionHome(join(dir, 'home'), 'standby').holder,
    ttlMs: order.ttlMs,
    objects: {
      ...objects,
      claim: async (claim) => {
        const won = await objects.claim(claim);
        await gate('claimed');
        return won;
      },
    },
    monotonicMs: () => performance.now(),
    nowMs: Date.now,
    sleep: (ms) => sleep(ms, undefined, { ref: false }),
  };
}

function gatedStandby(standby: Standby, gate: Gate): Standby {
  return {
    ...standby,
    promote: async (...wanted) => {
      const promoted = await standby.promote(...wanted);
      await gate('promoted');
      return promoted;
    },
    handOver: async () => {
      await standby.handOver();
      await gate('handedOver');
    },
  };
}

/** As the process of a region begins: it holds the lease, or follows. */
function beginRegion(order: FailoverWorkerOrder, { name, hook, allowPrivate }: FailoverCase, keys: VaultKeys) {
  const gate = gateOf(order.armed);
  const dir = join(order.dir, name);
  const home = join(dir, 'home');
  const artefactDir = join(home, 'artefacts');
  const party = partyOf(order, dir, keys, gate);
  const target = createVaultTarget(createFolderStore(order.shared), keys);
  const isTakenOver = async () => (await party.objects.newestClaim())?.holder !== party.holder;
  const openTarget = () => Promise.resolve(target);
  const standby = gatedStandby(createStandby({ home, artefactDir, openTarget, isTakenOver, log: LOG }), gate);
  standbys.push(standby);
  const databaseUrl = () => ownDatabaseUrl(home, null);
  const holding = new Set<Promise<void>>();
  const hold = (): void => {
    if (holding.size === 0)
      holding.add(holdRegion({ party, databaseUrl, tell: () => undefined, log: LOG }, halt.signal));
  };
  if (openRegionHome(home, 'standby').role === 'active') hold();
  else void standby.follow(halt.signal);
  return createFailoverActivities({
    home,
    artefactDir,
    party,
    watch: watchLease(party),
    standby,
    openTarget,
    databaseUrl,
    hook,
    allowPrivate,
    onPromoted: hold,
  });
}

async function run(order: FailoverWorkerOrder): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR'), telemetryOptions: { logging: { filter: 'ERROR' } } });
  const { recipient, identityFile, signingKey: signingKeyFile } = order;
  const keys = await loadVaultKeys({ recipients: [recipient], identityFile, signingKeyFile, trustedSigners: [] });
  const regions = new Map(order.cases.map((one) => [one.name, beginRegion(order, one, keys)]));
  const of = (): FailoverActivities => {
    const found = regions.get(caseHere());
    if (found === undefined) throw new Error(`no region for ${caseHere()}`);
    return found;
  };
  const activities: FailoverActivities = {
    lookAtRegions: () => of().lookAtRegions(),
    claimRegion: (input) => of().claimRegion(input),
    promoteRegion: (input) => of().promoteRegion(input),
    proveRegion: (input) => of().proveRegion(input),
    moveTraffic: (input) => of().moveTraffic(input),
  };
  const worker = await Worker.create({
    connection: await NativeConnection.connect({ address: order.address }),
    taskQueue: order.taskQueue,
    workflowBundle: { code: readFileSync(order.bundle, 'utf8') },
    activities: withFailures(activities),
  });
  process.on('disconnect', () => {
    halt.abort();
    void Promise.allSettled(standbys.map((standby) => standby.stop())).then(() => process.exit(0));
  });
  process.send?.({ ready: true });
  await worker.run();
}

process.once('message', (order) => {
  run(order as FailoverWorkerOrder).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
