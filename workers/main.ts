/** The worker process: reads the configuration, puts the parts together, works, and ends in order. */
import { join } from 'node:path';
import { createActivities } from '../activities/create-activities.ts';
import { codeCommit } from '../adapters/code-commit.ts';
import { readConfig, type Config } from '../adapters/config.ts';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import { findLightgbmLibrary } from '../adapters/lightgbm-library.ts';
import { createLogger, type Logger } from '../adapters/logger.ts';
import { connectTemporal } from '../adapters/temporal-client.ts';
import { createNotifier } from '../adapters/webhooks/create-notifier.ts';
import { createSealer, readSealingKey } from '../adapters/webhooks/sealer.ts';
import { createRegistry } from '../db/create-registry.ts';
import { DomainError } from '../domain/errors.ts';
import { createJudge } from '../domain/judge.ts';
import { keepSteadyMemoryToOneself } from '../infra/processes/steady-memory.ts';
import { ensureSearchAttributes } from '../infra/embedded/search-attributes.ts';
import { createJobs } from '../models/training/create-jobs.ts';
import { createBackups } from './backups.ts';
import { connectWorker } from './connect-worker.ts';
import { createWorkers, runWorkers, stopWorkers } from './create-workers.ts';
import { createRestores } from './restores.ts';
import { startHousekeeping } from './housekeeping.ts';
import { isWorkflowRunning } from './is-workflow-running.ts';
import { installTemporalRuntime } from './temporal-runtime.ts';
import { watchRecovery } from './watch-recovery.ts';
import { untilStopped } from './until-stopped.ts';
import { workflowBundle } from './workflow-bundle.ts';

function requireAddresses({ databaseUrl, temporalAddress }: Config): { databaseUrl: string; address: string } {
  if (databaseUrl !== null && temporalAddress !== null) return { databaseUrl, address: temporalAddress };
  throw new DomainError('invalidInput', 'A worker needs a database and Temporal', [
    ...(databaseUrl === null ? [{ field: 'DATABASE_URL', message: 'expected postgres://user:password@host/db' }] : []),
    ...(temporalAddress === null ? [{ field: 'TEMPORAL_ADDRESS', message: 'expected host:port' }] : []),
  ]);
}

async function work(config: Config, log: Logger, stopped: AbortSignal): Promise<void> {
  const { databaseUrl, address } = requireAddresses(config);
  const temporalLog = installTemporalRuntime(log, config);
  const workDir = join(config.home, 'work');
  const database = createRegistry(databaseUrl, { applicationName: 'sluice-worker' });
  const temporal = connectTemporal(config);
  const [connection, bundle] = await Promise.all([
    connectWorker(address, log, stopped),
    workflowBundle(config.cacheDir, temporalLog),
  ]);
  const notifier = createNotifier({
    webhooks: database.registry.webhooks,
    sealer: createSealer(() => readSealingKey(config.webhooks.sealingKey, config.webhooks.sealingKeyPath)),
    post: config.webhooks,
    now: Date.now,
  });
  const requireLease = (): Promise<void> => database.region.requireLease();
  const restores = createRestores({ config, databaseUrl, temporal, requireLease, log });
  const activities = createActivities({
    registry: database.registry,
    artefacts: createFolderArtefactStore(config.artefactDir),
    jobs: createJobs(),
    judge: createJudge(),
    nowMs: Date.now,
    notify: (notice) => notifier.notify(notice),
    lightgbmLibrary: () => findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir }),
    workDir,
    trainingMemoryMb: config.trainingMemoryMb,
    codeCommit: codeCommit(),
    requireLease,
    requireDrill: restores.requireDrill,
    isRunning: (workflowId, firstRunId) => isWorkflowRunning(temporal, workflowId, firstRunId),
  });
  const artefacts = createFolderArtefactStore(config.artefactDir);
  const backups = createBackups({ config, databaseUrl, artefacts, requireLease, temporal, log });
  const { temporalNamespace: namespace, taskQueue } = config;
  // A namespace without them would leave every workflow stuck at its first step.
  await temporal
    .call(() => ensureSearchAttributes(temporal.connection, namespace))
    .catch((error: unknown) => {
      log.warn({ err: error }, 'the search attributes cannot be checked');
    });
  const workers = await createWorkers({
    connection,
    namespace,
    taskQueue,
    workflowBundle: bundle,
    activities: { ...activities, ...restores.activities, ...backups.activities },
  });
  stopped.addEventListener('abort', () => stopWorkers(workers));
  backups.start(stopped);
  const stopHousekeeping = startHousekeeping({ records: database.registry.records, workDir, log });
  const running = stopped.aborted ? Promise.resolve() : runWorkers(workers);
  restores.start();
  const { home, backup } = config;
  if (backup.targets.length > 0)
    watchRecovery({ home, backups, drills: restores.drills, drilled: restores.drilled, log }, stopped);
  log.info({ taskQueue, namespace }, 'ready');
  process.send?.({ type: 'ready' });
  try {
    await running;
  } finally {
    stopHousekeeping();
    await Promise.allSettled([connection.close(), temporal.close(), database.close(), restores.close()]);
  }
}

/** The supervisor waits 20 s before it kills. */
const STOP_LIMIT_MS = 18_000;

let log = createLogger({ level: 'error', name: 'worker' });
keepSteadyMemoryToOneself(process.env);
try {
  const config = readConfig();
  log = createLogger({ level: config.logLevel, name: 'worker' });
  const stopped = untilStopped(log);
  stopped.addEventListener('abort', () => setTimeout(() => process.exit(1), STOP_LIMIT_MS).unref());
  await work(config, log, stopped);
  log.info({}, 'stopped');
  process.exit(0);
} catch (error) {
  log.fatal({ err: error }, error instanceof DomainError ? error.message : 'The worker failed');
  process.exit(1);
}
