import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import type { Config } from '../../adapters/config.ts';
import { startPostgres, type EmbeddedPostgres } from '../embedded/postgres.ts';
import { ensureSearchAttributes } from '../embedded/search-attributes.ts';
import { chooseTemporalPorts, startTemporal, type EmbeddedTemporal } from '../embedded/temporal.ts';
import type { ProcessWatcher } from '../processes/keeper-client.ts';
import type { Progress } from './progress.ts';
import { supervise } from './supervise.ts';

const EXTERNAL_TIMEOUT_MS = 30_000;
const EXTERNAL_POLL_MS = 1_000;

export interface DataServicesOptions {
  readonly config: Config;
  readonly watcher: ProcessWatcher;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly onProcess: (name: string, pid: number) => void;
}

export interface Database {
  readonly url: string;
  /** `null`: not ours. */
  readonly port: number | null;
}

export interface TemporalService {
  readonly address: string;
  readonly uiUrl: string | null;
  /** Resolves when it answers; rejects when it cannot be started or reached. */
  readonly ready: Promise<unknown>;
}

/** The database that DATABASE_URL names, else an embedded one that is kept running. */
export async function provideDatabase(options: DataServicesOptions): Promise<Database> {
  const { config, progress, signal } = options;
  if (config.databaseUrl !== null) {
    progress.say(`  PostgreSQL is the one of DATABASE_URL`);
    return { url: config.databaseUrl, port: null };
  }
  const step = progress.step('PostgreSQL');
  const start = (previous: EmbeddedPostgres | null): Promise<EmbeddedPostgres> =>
    startPostgres({
      home: config.home,
      keeper: options.watcher,
      signal,
      say: step.update,
      // Clients hold the address: it stays.
      ...(previous === null ? {} : { port: previous.port, portFixed: true }),
    });
  const onStarted = (started: EmbeddedPostgres): void => options.onProcess('postgres', started.process.pid);
  try {
    const started = await supervise({ title: 'PostgreSQL', start, onStarted, say: progress.say, signal });
    step.done(`127.0.0.1:${String(started.port)}`);
    return { url: started.databaseUrl, port: started.port };
  } catch (error) {
    step.fail('did not start');
    throw error;
  }
}

/**
 * The Temporal service that TEMPORAL_ADDRESS names, else an embedded dev server that is kept running. Its address is
 * known before it is ready: what only has to know the address need not wait.
 */
export async function provideTemporal(options: DataServicesOptions): Promise<TemporalService> {
  const { config, signal } = options;
  const step = options.progress.step('Temporal');
  const told = <T>(work: Promise<T>, done: string): Promise<T> => {
    const ready = work.then(
      (result) => {
        step.done(done);
        return result;
      },
      (error: unknown) => {
        step.fail('did not start');
        throw error;
      },
    );
    // Whoever needs it sees the failure; until then it is not an unhandled one.
    ready.catch(() => undefined);
    return ready;
  };
  const address = config.temporalAddress;
  if (address !== null) {
    const ready = prepareExternal(address, config.temporalNamespace, signal, step.update);
    return { address, uiUrl: null, ready: told(ready, `${address} (TEMPORAL_ADDRESS)`) };
  }
  const ports = await chooseTemporalPorts({}, options.progress.say);
  const own = `127.0.0.1:${String(ports.port)}`;
  const uiUrl = `http://127.0.0.1:${String(ports.uiPort)}`;
  return { address: own, uiUrl, ready: told(keepTemporal(options, ports, step.update), `${own}, UI ${uiUrl}`) };
}

function keepTemporal(
  { config, progress, signal, watcher, onProcess }: DataServicesOptions,
  ports: { port: number; uiPort: number },
  say: (line: string) => void,
): Promise<EmbeddedTemporal> {
  return supervise({
    title: 'Temporal',
    start: () =>
      startTemporal({
        ...ports,
        // Clients hold the address: it stays.
        portsFixed: true,
        home: config.home,
        cacheDir: config.cacheDir,
        namespace: config.temporalNamespace,
        keeper: watcher,
        signal,
        say,
      }),
    onStarted: (started) => onProcess('temporal', started.process.pid),
    say: progress.say,
    signal,
  });
}

async function prepareExternal(
  address: string,
  namespace: string,
  signal: AbortSignal,
  say: (line: string) => void,
): Promise<void> {
  const deadline = Date.now() + EXTERNAL_TIMEOUT_MS;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '5s' });
      try {
        await ensureSearchAttributes(connection, namespace);
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (Date.now() > deadline) throw new Error(`Temporal at ${address} cannot be used: ${why}`);
      say(`waiting for ${address}: ${why}`);
    }
    await sleep(EXTERNAL_POLL_MS, undefined, { signal });
  }
}
