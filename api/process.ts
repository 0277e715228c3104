/** A serving process of the API: puts the parts together, answers on the shared port, and ends in order. */
import { randomUUID } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { readConfig } from '../adapters/config.ts';
import type { Config } from '../adapters/config.ts';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import { createLogger } from '../adapters/logger.ts';
import { createMetrics } from '../adapters/metrics.ts';
import { createNotifier } from '../adapters/webhooks/create-notifier.ts';
import { createSealer, readSealingKey } from '../adapters/webhooks/sealer.ts';
import { createRegistry } from '../db/create-registry.ts';
import type { Registry } from '../db/ports.ts';
import type { RecoveryStore } from '../db/recovery-store.ts';
import { deferBackupDesk } from './backups/backup-desk.ts';
import { joinFleet } from './cluster/join-fleet.ts';
import type { PrimaryCalls, ProcessCalls } from './cluster/calls.ts';
import { createLink } from './cluster/link.ts';
import { createPrimaryChannel } from './cluster/primary-channel.ts';
import { connectControlPlane } from './connect-control-plane.ts';
import { createApp } from './create-app.ts';
import { failStart } from './fail-start.ts';
import { createImports } from './imports/create-imports.ts';
import { createHotPath } from './hot-path/create-hot-path.ts';
import { prepareLane } from './hot-path/create-lane.ts';
import { createJournalWriter } from './journal/journal-writer.ts';
import { createFleetLimiter } from './limits/create-fleet-limiter.ts';
import type { Log } from './log.ts';
import { platformVersion } from './platform-version.ts';
import { onDefect, onStop } from './process-lifecycle.ts';
import { createProtection } from './protection.ts';
import type { Webhooks } from './routes/webhooks.ts';
import { createKeyDirectory } from './security/key-directory.ts';
import type { KeyDirectory } from './security/key-directory.ts';
import { createSavedKeys } from './security/saved-keys.ts';
import { startServer } from './server.ts';
import type { RunningServer } from './server.ts';
import { requireAddresses } from './service-addresses.ts';
import { createServing } from './serving/create-serving.ts';
import { createRecordSink } from './serving/record-sink.ts';
import { withTimeLimit } from './time-limit.ts';

/** The primary does little else than answer. */
const PRIMARY_LIMIT_MS = 5_000;
/** A database that is away must not keep a replacement from serving by what is saved. */
const FIRST_KEYS_LIMIT_MS = 2_000;

function connectWebhooks({ webhooks: settings }: Config, { webhooks }: Pick<Registry, 'webhooks'>): Webhooks {
  const sealer = createSealer(() => readSealingKey(settings.sealingKey, settings.sealingKeyPath));
  const notifier = createNotifier({ webhooks, sealer, post: settings, now: Date.now });
  return { sealer, notifier, allowPrivate: settings.allowPrivate };
}

function connectBackups({ backup, home }: Config, databaseUrl: string, recovery: RecoveryStore) {
  return deferBackupDesk(async () => {
    const { createBackupDesk } = await import('./backups/create-backup-desk.ts');
    return createBackupDesk({ backup, home, databaseUrl, recovery, now: Date.now });
  });
}

/** Everything that talks to the world outside, and how to let go of it. */
function connectAll(config: Config, log: Log) {
  const { databaseUrl } = requireAddresses(config);
  const database = createRegistry(databaseUrl, { applicationName: 'sluice-api' });
  const { registry, idempotency, region, recovery } = database;
  const temporal = connectControlPlane(config);
  const artefacts = createFolderArtefactStore(config.artefactDir);
  const metrics = createMetrics();
  const journal = createJournalWriter({
    dir: config.journal.dir,
    instance: randomUUID(),
    fallback: createRecordSink({ records: registry.records, log }),
    log,
  });
  const serving = createServing({
    routing: registry.routing,
    versions: registry.versions,
    artefacts,
    records: registry.records,
    instances: registry.instances,
    home: config.home,
    metrics,
    log,
    sink: journal,
    kept: config.keptVersions,
  });
  metrics.watchVersions(() => serving.versions());
  const keys = createKeyDirectory({
    keys: createSavedKeys({ keys: registry.keys, path: join(config.home, 'keys.json'), log }),
    now: Date.now,
    onStateChange: ({ ok, error }) => {
      if (ok) log.info({}, 'API keys loaded');
      else log.warn({ err: error }, 'API keys not read; the last known ones stay in force');
    },
  });
  const { control } = temporal;
  const checks = {
    postgres: async () => {
      await registry.keys.list();
    },
    temporal: () => control.check(),
    artefacts: () => access(config.artefactDir),
  };
  const webhooks = connectWebhooks(config, registry);
  const imports = createImports({ registry, artefacts, log, uploadDir: `${config.home}/uploads` });
  const disconnect = async (): Promise<void> => {
    await Promise.allSettled([database.close(), temporal.close()]);
  };
  return {
    registry,
    idempotency,
    requireLease: () => region.requireLease(),
    metrics,
    serving,
    journal,
    keys,
    control,
    checks,
    imports,
    webhooks,
    desk: connectBackups(config, databaseUrl, recovery),
    temporal,
    disconnect,
  };
}

async function firstKeys(keys: Pick<KeyDirectory, 'refresh'>): Promise<void> {
  await withTimeLimit(keys.refresh(), FIRST_KEYS_LIMIT_MS, () => new Error('late')).catch(() => undefined);
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, name: 'api' });
  onDefect(log);
  const channel = createPrimaryChannel();
  const link = createLink<PrimaryCalls, ProcessCalls>(channel);
  const assigned = link.ask('assignment', null, PRIMARY_LIMIT_MS);
  const { disconnect, journal, temporal, ...parts } = connectAll(config, log);
  const { serving, keys } = parts;
  const { metrics } = parts;
  const protection = createProtection({ limiter: createFleetLimiter(channel, metrics), metrics, now: Date.now });
  let server: RunningServer | null = null;
  const fleet = joinFleet({ ...parts, journal: () => journal.status(), server: () => server, link });
  let draining = false;
  const stopKeys = keys.start();
  const shutDown = async (): Promise<void> => {
    draining = true;
    const drained = await server?.drain();
    if (drained?.clean === false) log.warn({}, 'requests still in flight at the limit were cut off');
    stopKeys();
    await serving.close();
    await disconnect();
  };
  const stop = onStop(log, shutDown, { ask: () => link.ask('mayStop', null, PRIMARY_LIMIT_MS) });
  // The port is closed when this returns: the news of it is on its way to the primary before the reply.
  link.answer('drain', () => {
    stop('the primary says so');
    return null;
  });
  const app = createApp({
    ...parts,
    ...fleet,
    protection,
    log,
    isDraining: () => draining,
    now: Date.now,
    version: platformVersion(),
  });
  const { port, listenWhenReady } = await assigned;
  if (listenWhenReady) await Promise.all([serving.start(), firstKeys(keys), temporal.load()]);
  server = await startServer(app.fetch, {
    host: config.host,
    port,
    hotPath: createHotPath({ ...parts, protection, log }),
    lane: prepareLane({ ...parts, protection, log }),
  });
  if (!listenWhenReady) await serving.start();
  log.info({ port: server.port, ...serving.status() }, 'serving');
  await link.ask('ready', { port: server.port }, PRIMARY_LIMIT_MS);
  // Now, while there is hardly any traffic, and not with the first request that needs it.
  await temporal.load();
}

await main().catch(failStart);
