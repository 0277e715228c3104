/** The API process: reads the configuration, puts the parts together, serves, and ends in order. */
import { access } from 'node:fs/promises';
import { readConfig } from '../adapters/config.ts';
import type { Config } from '../adapters/config.ts';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import { createLogger } from '../adapters/logger.ts';
import { createMetrics } from '../adapters/metrics.ts';
import { connectTemporal } from '../adapters/temporal-client.ts';
import { createRegistry } from '../db/create-registry.ts';
import { DomainError } from '../domain/errors.ts';
import { createApp } from './create-app.ts';
import { createHotPath } from './hot-path/create-hot-path.ts';
import { openJournal } from './journal/open-journal.ts';
import type { Log } from './log.ts';
import { platformVersion } from './platform-version.ts';
import { onDefect, onStop } from './process-lifecycle.ts';
import { createKeyDirectory } from './security/key-directory.ts';
import { startServer } from './server.ts';
import { createServing } from './serving/create-serving.ts';
import { createRecordSink } from './serving/record-sink.ts';
import { createTemporalControlPlane } from './temporal-control-plane.ts';

/** What is not shipped by then is shipped by the next start. */
const JOURNAL_CLOSE_LIMIT_MS = 2_000;

function databaseUrlOf({ databaseUrl }: Config): string {
  if (databaseUrl !== null) return databaseUrl;
  throw new DomainError('invalidInput', 'No database is configured', [
    { field: 'DATABASE_URL', message: 'expected postgres://user:password@host:port/database' },
  ]);
}

/** Everything that talks to the world outside, and how to let go of it. */
function connectAll(config: Config, log: Log) {
  const database = createRegistry(databaseUrlOf(config), { applicationName: 'sluice-api' });
  const { registry } = database;
  const temporal = connectTemporal(config);
  const artefacts = createFolderArtefactStore(config.artefactDir);
  const metrics = createMetrics();
  const journal = openJournal({
    ...config.journal,
    store: registry.journal,
    fallback: createRecordSink({ records: registry.records, log }),
    log,
  });
  const serving = createServing({
    routing: registry.routing,
    versions: registry.versions,
    artefacts,
    records: registry.records,
    home: config.home,
    metrics,
    log,
    sink: journal.sink,
  });
  const keys = createKeyDirectory({
    keys: registry.keys,
    now: Date.now,
    onStateChange: ({ ok, error }) => {
      if (ok) log.info({}, 'API keys loaded');
      else log.warn({ err: error }, 'API keys not read; the last known ones stay in force');
    },
  });
  const control = createTemporalControlPlane({ temporal, taskQueue: config.taskQueue, now: Date.now });
  const checks = {
    postgres: async () => {
      await registry.keys.list();
    },
    temporal: () => control.check(),
    artefacts: () => access(config.artefactDir),
  };
  const disconnect = async (): Promise<void> => {
    await Promise.allSettled([database.close(), temporal.close()]);
  };
  return { registry, metrics, serving, journal, keys, control, checks, disconnect };
}

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger({ level: config.logLevel, name: 'api' });
  onDefect(log);
  const { disconnect, journal, ...parts } = connectAll(config, log);
  const { serving, keys } = parts;
  let draining = false;
  const app = createApp({
    ...parts,
    journal: journal.status,
    log,
    isDraining: () => draining,
    now: Date.now,
    version: platformVersion(),
  });
  const hotPath = createHotPath({ ...parts, log });
  const server = await startServer(app.fetch, { host: config.host, port: config.port, hotPath });
  const stopKeys = keys.start();
  onStop(log, async () => {
    draining = true;
    const { clean } = await server.drain();
    if (!clean) log.warn({}, 'requests still in flight at the limit were cut off');
    stopKeys();
    await serving.close();
    await journal.close(JOURNAL_CLOSE_LIMIT_MS);
    await disconnect();
  });
  // Probes are answered from here on; predictions once the models are proven.
  await serving.start();
  log.info({ host: config.host, port: server.port, ...serving.status() }, 'ready');
  process.send?.({ type: 'ready', port: server.port });
}

try {
  await main();
} catch (error) {
  const name = error instanceof DomainError ? error.message : 'The API did not start';
  createLogger({ level: 'error', name: 'api' }).fatal({ err: error }, name);
  process.exitCode = 1;
  setImmediate(() => process.exit(1));
}
