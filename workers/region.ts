/** The process of a region: holds its lease while it is active, follows the other region while it stands by. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from '@temporalio/worker';
import { withFailures } from '../activities/failures.ts';
import { createFailoverActivities } from '../activities/region-activities.ts';
import type { FailoverActivities } from '../activities/region-contract.ts';
import { readConfig, type Config } from '../adapters/config.ts';
import { createLogger, type Logger } from '../adapters/logger.ts';
import { openObjectStore } from '../adapters/object-stores/open-object-store.ts';
import type { RegionConfig } from '../adapters/region-config.ts';
import { readRegionStatus } from '../adapters/region-status.ts';
import { connectTemporal } from '../adapters/temporal-client.ts';
import { DomainError } from '../domain/errors.ts';
import { holdRegion, type HeldRegion } from '../recovery/region/hold-region.ts';
import { watchLease, type LeaseParty } from '../recovery/region/lease.ts';
import { ownDatabaseUrl } from '../recovery/region/own-database.ts';
import { openRegionHome } from '../recovery/region/region-home.ts';
import { createRegionObjects } from '../recovery/region/region-objects.ts';
import { createStandby } from '../recovery/region/standby.ts';
import { loadVaultKeys } from '../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../recovery/vault/vault-target.ts';
import { regionTaskQueue } from '../workflows/failover-messages.ts';
import { connectWorker } from './connect-worker.ts';
import { installTemporalRuntime } from './temporal-runtime.ts';
import { serveRegionMetrics } from './region-metrics.ts';
import { watchFailover } from './watch-failover.ts';
import { watchOwner, writeStatusContinuously } from './watch-owner.ts';
import { untilStopped } from './until-stopped.ts';
import { workflowBundle } from './workflow-bundle.ts';

/** The supervisor waits 20 s before it kills. */
const STOP_LIMIT_MS = 18_000;

async function createParty(config: Config, region: RegionConfig, holder: string) {
  const { backup } = config;
  const target = backup.targets.find(({ name }) => name === region.target);
  if (target === undefined) throw new DomainError('invalidInput', `There is no backup target ${region.target}`);
  const keys = await loadVaultKeys(backup.keys);
  const store = await openObjectStore(target, backup.credentials);
  const party: LeaseParty = {
    region: region.region,
    holder,
    ttlMs: region.leaseMs,
    objects: createRegionObjects(store, keys),
    monotonicMs: () => performance.now(),
    nowMs: Date.now,
    sleep: (ms) => sleep(ms, undefined, { ref: false }),
  };
  return { party, openTarget: () => Promise.resolve(createVaultTarget(store, keys)) };
}

async function work(config: Config, region: RegionConfig, log: Logger, stopped: AbortSignal): Promise<void> {
  const { home, artefactDir } = config;
  const own = openRegionHome(home, region.role);
  const { party, openTarget } = await createParty(config, region, own.holder);
  const databaseUrl = (): string | null => ownDatabaseUrl(home, config.databaseUrl);
  const isTakenOver = async (): Promise<boolean> => (await party.objects.newestClaim())?.holder !== own.holder;
  const standby = createStandby({ home, artefactDir, openTarget, isTakenOver, log });
  const watch = watchLease(party);
  let role = own.role;
  let held: HeldRegion = { lease: 'not held', owner: null, epoch: 0, deadlineMs: 0, problem: null };
  const holding = new Set<Promise<void>>();
  const hold = (): void => {
    if (holding.size > 0) return;
    role = 'active';
    const tell = (now: HeldRegion): void => void (held = now);
    holding.add(holdRegion({ party, databaseUrl, tell, log }, stopped));
  };
  const temporalLog = installTemporalRuntime(log, { ...config, workerMetricsPort: null });
  const [connection, bundle] = await Promise.all([
    connectWorker(config.temporalAddress ?? '', log, stopped),
    workflowBundle(config.cacheDir, temporalLog),
  ]);
  const temporal = connectTemporal(config);
  const { hook } = region;
  const { allowPrivate } = config.webhooks;
  const deps = {
    home,
    artefactDir,
    party,
    watch,
    standby,
    openTarget,
    databaseUrl,
    hook,
    allowPrivate,
    onPromoted: hold,
  };
  const worker = await Worker.create({
    connection,
    namespace: config.temporalNamespace,
    taskQueue: regionTaskQueue(config.taskQueue),
    workflowBundle: bundle,
    activities: withFailures<FailoverActivities>(createFailoverActivities(deps)),
    shutdownGraceTime: '1s',
    shutdownForceTime: '12s',
  });
  stopped.addEventListener('abort', () => {
    if (worker.getState() === 'RUNNING') worker.shutdown();
  });
  const running = stopped.aborted ? Promise.resolve() : worker.run();
  if (role === 'active') hold();
  else void standby.follow(stopped);
  const look = watchOwner({ region, taskQueue: config.taskQueue, watch, temporal, log, role: () => role }, stopped);
  const failover = watchFailover(temporal, stopped);
  writeStatusContinuously(
    { home, region: region.region, role: () => role, held: () => held, look, standby, failover, log },
    stopped,
  );
  const stopMetrics = await serveRegionMetrics(region.metricsPort, () => readRegionStatus(home), log);
  log.info({ region: region.region, role }, 'ready');
  process.send?.({ type: 'ready' });
  try {
    await running;
  } finally {
    await standby.stop();
    await Promise.allSettled([...holding, connection.close(), temporal.close(), stopMetrics()]);
  }
}

let log = createLogger({ level: 'error', name: 'region' });
try {
  const config = readConfig();
  log = createLogger({ level: config.logLevel, name: 'region' });
  if (config.region === null || config.temporalAddress === null)
    throw new DomainError('invalidInput', 'The process of a region needs SLUICE_REGION and TEMPORAL_ADDRESS');
  const stopped = untilStopped(log);
  stopped.addEventListener('abort', () => setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref());
  await work(config, config.region, log, stopped);
  log.info({}, 'stopped');
  process.exit(0);
} catch (error) {
  log.fatal({ err: error }, error instanceof DomainError ? error.message : 'The process of the region failed');
  process.exit(1);
}
