/** What a standby does about the region that it stands by, and what the command line is told. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Logger } from '../adapters/logger.ts';
import type { RegionConfig } from '../adapters/region-config.ts';
import { writeRegionStatus, type RegionStatus } from '../adapters/region-status.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import type { RegionRole } from '../domain/recovery/region.ts';
import type { HeldRegion } from '../recovery/region/hold-region.ts';
import type { LeaseSight, LeaseWatch } from '../recovery/region/lease.ts';
import type { Standby } from '../recovery/region/standby.ts';
import { FAILOVER_WORKFLOW, FAILOVER_WORKFLOW_ID, regionTaskQueue } from '../workflows/failover-messages.ts';

const LOOK_EVERY_MS = 1_000;
const STATUS_EVERY_MS = 1_000;
const HEALTH_TIMEOUT_MS = 3_000;

export interface WatchOwnerOptions {
  readonly region: RegionConfig;
  readonly taskQueue: string;
  readonly watch: LeaseWatch;
  readonly temporal: TemporalClient;
  readonly log: Logger;
  readonly role: () => RegionRole;
}

export interface OwnerSeen {
  readonly sight: LeaseSight | null;
  readonly problem: string | null;
}

/** Looks until the signal. A silent owner is an alarm, and with `SLUICE_FAILOVER=auto` the beginning of a failover. */
export function watchOwner(options: WatchOwnerOptions, stopped: AbortSignal): () => OwnerSeen {
  const { watch, log, region, role } = options;
  let seen: OwnerSeen = { sight: null, problem: null };
  let alarmed = false;
  const look = async (): Promise<void> => {
    const sight = await watch.look();
    seen = { sight, problem: null };
    const { claim } = sight;
    const silent = claim !== null && role() === 'standby' && sight.silent;
    const details = { owner: claim?.region, epoch: claim?.epoch, quietMs: Math.round(sight.quietMs) };
    if (silent && !alarmed) log.error(details, 'the region that owns the epoch is silent');
    if (!silent && alarmed) log.info(details, 'the region that owns the epoch is heard again');
    alarmed = silent;
    if (!silent || region.failover !== 'auto') return;
    if (region.healthUrl !== null && (await isHealthy(region.healthUrl))) {
      log.warn({ ...details, url: region.healthUrl }, 'it still answers requests: nothing fails over by itself');
      return;
    }
    await startFailover(options, `region ${claim.region} was silent for ${Math.round(sight.quietMs / 1000)} s`);
  };
  const run = async (): Promise<void> => {
    while (!stopped.aborted) {
      await look().catch((error: unknown) => {
        seen = { ...seen, problem: error instanceof Error ? error.message : String(error) };
      });
      await sleep(LOOK_EVERY_MS, undefined, { signal: stopped }).catch(() => undefined);
    }
  };
  void run();
  return () => seen;
}

async function startFailover({ temporal, region, taskQueue, log }: WatchOwnerOptions, reason: string): Promise<void> {
  try {
    await temporal.call((client) =>
      client.workflow.start(FAILOVER_WORKFLOW, {
        workflowId: FAILOVER_WORKFLOW_ID,
        taskQueue: regionTaskQueue(taskQueue),
        args: [{ confirm: region.region, reason, requestedBy: 'watch' }],
      }),
    );
    log.error({ reason }, 'this region takes over');
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
  }
}

async function isHealthy(url: string): Promise<boolean> {
  return fetch(url, { signal: AbortSignal.timeout(HEALTH_TIMEOUT_MS) }).then(
    (response) => response.ok,
    () => false,
  );
}

export interface StatusOptions {
  readonly home: string;
  readonly region: string;
  readonly role: () => RegionRole;
  readonly held: () => HeldRegion;
  readonly look: () => OwnerSeen;
  readonly standby: Standby;
  readonly failover: () => RegionStatus['failover'];
  readonly log: Logger;
}

export function writeStatusContinuously(options: StatusOptions, stopped: AbortSignal): void {
  const { home, region, log } = options;
  const write = async (): Promise<void> => {
    const role = options.role();
    const [held, { sight, problem }, standby] = [options.held(), options.look(), options.standby.status()];
    const active = role === 'active';
    await writeRegionStatus(home, {
      atMs: Date.now(),
      region,
      role,
      lease: active ? held.lease : 'standby',
      owner: active ? held.owner : (sight?.claim?.region ?? null),
      epoch: active ? held.epoch : (sight?.claim?.epoch ?? 0),
      leaseEndsMs: active && held.lease === 'held' ? Date.now() + held.deadlineMs - performance.now() : null,
      ownerQuietSeconds: sight === null ? null : sight.quietMs / 1000,
      standby: active ? null : standby,
      failover: options.failover(),
      problem: (active ? held.problem : standby.problem) ?? problem,
    });
  };
  const timer = setInterval(() => {
    write().catch((error: unknown) => log.warn({ err: error }, 'the status of the region could not be written down'));
  }, STATUS_EVERY_MS);
  stopped.addEventListener('abort', () => clearInterval(timer));
}
