import { join } from 'node:path';
import type { Config } from '../../adapters/config.ts';
import { freePort } from '../processes/free-port.ts';
import { NICENESS } from '../processes/go-behind-serving.ts';
import type { ProcessWatcher } from '../processes/keeper-client.ts';
import { siblingModule } from '../processes/node-program.ts';
import { stopLeftOver } from '../processes/pid-file.ts';
import { STEADY_MEMORY } from '../processes/steady-memory.ts';
import type { Database, TemporalService } from './data-services.ts';
import { startNodeService, type NodeService, type NodeServiceOptions } from './node-service.ts';
import type { Progress } from './progress.ts';
import { supervise } from './supervise.ts';

/** Requests under way are answered first. */
const API_STOP_MS = 15_000;
/** Activities under way are told, and are taken up again at the next start. */
const WORKER_STOP_MS = 20_000;
const LEFT_OVER_STOP_MS = 5_000;

export interface AppModules {
  readonly api: URL;
  readonly worker: URL;
}

export interface AppServicesOptions {
  /** Default: this platform's own. */
  readonly modules?: AppModules;
  readonly config: Config;
  readonly env: NodeJS.ProcessEnv;
  readonly database: Database;
  readonly temporal: TemporalService;
  readonly watcher: ProcessWatcher;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly onProcess: (name: string, pid: number) => void;
}

/** Stops what a killed supervisor left, before its ports are chosen again. PostgreSQL sees to its own. */
export async function stopLeftOverServices(home: string): Promise<void> {
  const stop = { signals: [{ signal: 'SIGTERM', graceMs: LEFT_OVER_STOP_MS }], group: true } as const;
  await Promise.all(['api', 'worker', 'region'].map((name) => stopLeftOver(join(home, 'run'), name, stop)));
  await stopLeftOver(join(home, 'run'), 'temporal', stop);
}

export interface AppServices {
  /** Address of the API, once it is ready. */
  readonly apiUrl: Promise<string>;
  /** Resolves when the worker is ready. */
  readonly worker: Promise<unknown>;
}

/**
 * Starts the API, then the worker, and keeps them running: what is trained already is served soonest when the API need
 * not share the processors with the worker's bundling. A promise rejects when the first start fails.
 */
export async function startAppServices(options: AppServicesOptions): Promise<AppServices> {
  const { config, progress } = options;
  const port = await freePort(config.port, config.host);
  if (port !== config.port && config.port !== 0)
    progress.say(`  port ${String(config.port)} is busy; the API takes ${String(port)}`);
  const common = { env: childEnvironment(options, port), home: config.home, watcher: options.watcher };
  const modules = options.modules ?? {
    api: siblingModule('../../api/main.ts', import.meta.url),
    worker: siblingModule('../../workers/main.ts', import.meta.url),
  };
  const api = { ...common, name: 'api', module: modules.api, stopGraceMs: API_STOP_MS, stopOrder: 0 };
  const behind = { stopGraceMs: WORKER_STOP_MS, stopOrder: 1, niceness: NICENESS.worker };
  const workerEnv = { ...STEADY_MEMORY, ...common.env };
  const worker = { ...common, ...behind, env: workerEnv, name: 'worker', module: modules.worker };
  const apiUrl = keepRunning(options, 'API', api).then(({ ready }) => {
    const taken = typeof ready['port'] === 'number' ? ready['port'] : port;
    return `http://${reachable(config.host)}:${String(taken)}`;
  });
  const both = Promise.all([apiUrl, options.temporal.ready]);
  return { apiUrl, worker: both.then(() => keepRunning(options, 'Worker', worker)) };
}

/** The process that holds the lease of a region, or stands by: before the database, which a standby does not run yet. */
export async function startRegion(options: Omit<AppServicesOptions, 'database' | 'modules'>): Promise<unknown> {
  const { config, watcher } = options;
  const databaseUrl = config.databaseUrl ?? '';
  const env = childEnvironment({ ...options, database: { url: databaseUrl, port: null } }, config.port);
  const module = siblingModule('../../workers/region.ts', import.meta.url);
  const common = { env, home: config.home, watcher, name: 'region', module };
  return keepRunning(options, 'Region', { ...common, stopGraceMs: WORKER_STOP_MS, stopOrder: 1 });
}

async function keepRunning(
  { progress, signal, onProcess }: Pick<AppServicesOptions, 'progress' | 'signal' | 'onProcess'>,
  title: string,
  service: NodeServiceOptions,
): Promise<NodeService> {
  const step = progress.step(title);
  try {
    const started = await supervise({
      title,
      start: () => startNodeService(service),
      onStarted: ({ process }) => onProcess(service.name, process.pid),
      say: progress.say,
      signal,
    });
    step.done('ready');
    return started;
  } catch (error) {
    step.fail('did not start');
    throw error;
  }
}

function childEnvironment(
  { config, env, database, temporal }: Omit<AppServicesOptions, 'modules'>,
  port: number,
): NodeJS.ProcessEnv {
  return {
    ...env,
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: temporal.address,
    TEMPORAL_NAMESPACE: config.temporalNamespace,
    SLUICE_HOME: config.home,
    SLUICE_CACHE: config.cacheDir,
    SLUICE_HOST: config.host,
    SLUICE_PORT: String(port),
  };
}

/** A server that listens everywhere is reached on loopback; an IPv6 address stands in brackets. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
