import { chmodSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Config } from '../../adapters/config.ts';
import { findLightgbmLibrary } from '../../adapters/lightgbm-library.ts';
import type { SluiceApi } from '../../cli/api/sluice-api.ts';
import { createRegistry } from '../../db/create-registry.ts';
import { migrate } from '../../db/migrate.ts';
import { DomainError } from '../../domain/errors.ts';
import { openRegionHome } from '../../recovery/region/region-home.ts';
import { startKeeper, type ProcessWatcher } from '../processes/keeper-client.ts';
import { limitLog } from '../processes/log-file.ts';
import { createStopList } from '../processes/stop-list.ts';
import { startAppServices, startRegion, stopLeftOverServices, type AppModules } from './app-services.ts';
import { provideDatabase, provideTemporal, type DataServicesOptions, type TemporalService } from './data-services.ts';
import { findServed, type FinalScreen } from './final-screen.ts';
import { provideFirstKey, type FirstKey } from './first-key.ts';
import { firstRun } from './first-run.ts';
import { lockHome } from './home-lock.ts';
import type { Progress } from './progress.ts';
import { removePlatformState, writePlatformState, type PlatformState } from './state-file.ts';

export interface PlatformOptions {
  readonly config: Config;
  /** The environment that worker and API inherit. */
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
  /** Aborted to stop the platform. */
  readonly signal: AbortSignal;
  readonly connectApi: (url: string, key: string) => SluiceApi;
  readonly homeGiven: boolean;
  /** Programs of worker and API; default this platform's own. */
  readonly modules?: AppModules;
  /** Called once when everything runs. */
  readonly onReady: (screen: FinalScreen) => void;
}

const LOG_CHECK_EVERY_MS = 60_000;
/** Of a standby that was promoted: part of every failover. */
const ROLE_POLL_MS = 100;

/**
 * Runs the whole platform on this machine until the signal: database and Temporal, migrations, worker and API, the
 * first run. Resolves when everything has been stopped in order.
 * @throws DomainError `conflict` when it runs already on this home; Error naming the part that did not start, after
 * the others have been stopped
 */
export async function runPlatform(options: PlatformOptions): Promise<void> {
  const { config, progress, signal } = options;
  prepareHome(config.home);
  const lock = lockHome(config.home);
  const stopList = createStopList();
  const halt = new AbortController();
  const abort = (): void => halt.abort();
  signal.addEventListener('abort', abort);
  const logTimer = setInterval(() => limitLogs(config.home), LOG_CHECK_EVERY_MS);
  try {
    const keeper = startKeeper(join(config.home, 'logs', 'keeper.log'));
    const watcher: ProcessWatcher = {
      keep(kept) {
        keeper.keep(kept);
        stopList.keep(kept);
      },
      forget(pid) {
        keeper.forget(pid);
        stopList.forget(pid);
      },
    };
    try {
      await untilAborted(start(options, watcher, keeper.pid, halt.signal), halt.signal);
    } finally {
      halt.abort();
      await stopList.stopAll({ onStop: (kept) => progress.say(`  stopping ${kept.name}`) });
      await keeper.release();
    }
  } finally {
    clearInterval(logTimer);
    signal.removeEventListener('abort', abort);
    removePlatformState(config.home);
    lock.release();
  }
}

/** Starts everything, shows the final screen, and then stays. */
async function start(
  options: PlatformOptions,
  watcher: ProcessWatcher,
  keeperPid: number,
  signal: AbortSignal,
): Promise<never> {
  const { config, progress } = options;
  const state = createState(config);
  state.onProcess('keeper', keeperPid);
  await stopLeftOverServices(config.home);
  const common = { config, watcher, progress, signal, onProcess: state.onProcess };
  void warmLightgbm(config, progress, signal);
  const early = await joinRegion(options, common, state);
  const [database, temporal] = await Promise.all([provideDatabase(common), early ?? provideTemporal(common)]);
  state.set({ postgres: database.port === null ? null : { port: database.port } });
  state.set({ temporal: { address: temporal.address, namespace: config.temporalNamespace, uiUrl: temporal.uiUrl } });
  const step = progress.step('Schema');
  const key = await prepareRegistry(config.home, database.url).catch((error: unknown) => {
    step.fail('could not be migrated');
    throw error;
  });
  step.done('up to date');
  const { modules } = options;
  const app = await startAppServices({
    ...common,
    env: options.env,
    database,
    temporal,
    ...(modules === undefined ? {} : { modules }),
  });
  const serve = async (): Promise<void> => {
    const [apiUrl] = await Promise.all([app.apiUrl, temporal.ready]);
    state.set({ api: { url: apiUrl } });
    state.publish();
    options.onReady(await makeReady(options, { apiUrl, temporal, key, signal }));
  };
  await Promise.all([app.worker, serve()]);
  return new Promise<never>(() => undefined);
}

/**
 * Where the platform has a region: its process first, and nothing else until the home is not a standby any more.
 * @returns Temporal, which was needed for it; `null`: the platform stands alone
 */
async function joinRegion(
  { config, env, progress }: PlatformOptions,
  common: DataServicesOptions,
  state: ReturnType<typeof createState>,
): Promise<TemporalService | null> {
  if (config.region === null) return null;
  const { region, role } = config.region;
  const temporal = await provideTemporal(common);
  await temporal.ready;
  state.set({ temporal: { address: temporal.address, namespace: config.temporalNamespace, uiUrl: temporal.uiUrl } });
  const { home } = config;
  const isStandby = (): boolean => openRegionHome(home, role).role === 'standby';
  const standsBy = isStandby();
  if (standsBy && config.databaseUrl !== null)
    throw new DomainError('refused', 'A standby brings its own database', [
      { field: 'DATABASE_URL', message: 'is set', allowed: ['not set', 'SLUICE_REGION_ROLE=active'] },
    ]);
  await startRegion({ ...common, env, temporal });
  if (!standsBy) return temporal;
  state.publish();
  progress.say(`  Region ${region} stands by; Temporal UI ${temporal.uiUrl ?? temporal.address}`);
  while (isStandby()) await sleep(ROLE_POLL_MS, undefined, { signal: common.signal });
  progress.say(`  Region ${region} takes over`);
  return temporal;
}

async function makeReady(
  { config, progress, connectApi, homeGiven }: PlatformOptions,
  running: { apiUrl: string; temporal: TemporalService; key: FirstKey; signal: AbortSignal },
): Promise<FinalScreen> {
  const { apiUrl, temporal, key, signal } = running;
  const api = connectApi(apiUrl, key.key);
  const outcome = await firstRun({ home: config.home, example: examplePath(), api, progress, signal });
  return {
    addresses: { apiUrl, temporalUiUrl: temporal.uiUrl, temporalAddress: temporal.address },
    home: config.home,
    homeGiven,
    firstKey: key,
    served: await findServed(api, outcome.kind === 'served' ? outcome.model : null),
    problem: outcome.kind === 'failed' ? outcome.reason : null,
  };
}

async function prepareRegistry(home: string, databaseUrl: string): Promise<FirstKey> {
  await migrate(databaseUrl);
  const opened = createRegistry(databaseUrl);
  try {
    return await provideFirstKey(home, opened.registry.keys);
  } finally {
    await opened.close();
  }
}

/** Fetched while the rest starts, so that the first training does not wait for it. */
async function warmLightgbm(config: Config, progress: Progress, signal: AbortSignal): Promise<void> {
  const found = await findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir, signal });
  if (found.path !== null || signal.aborted) return;
  progress.say(`  LightGBM is not there, training goes on without gradient boosting: ${found.reason}`);
}

function createState(config: Config) {
  let processes: Record<string, number> = {};
  let published = false;
  let state: PlatformState = {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    api: { url: '' },
    temporal: { address: '', namespace: config.temporalNamespace, uiUrl: null },
    postgres: null,
    processes,
  };
  const write = (): void => {
    if (published) writePlatformState(config.home, { ...state, processes });
  };
  return {
    set: (part: Partial<PlatformState>): void => void (state = { ...state, ...part }),
    onProcess: (name: string, pid: number): void => {
      processes = { ...processes, [name]: pid };
      write();
    },
    publish: (): void => {
      published = true;
      write();
    },
  };
}

/** In development two folders up, in a build three (dist/infra/platform). */
function examplePath(): string {
  const places = ['../../', '../../../'].map((up) =>
    fileURLToPath(new URL(`${up}examples/churn/model.yaml`, import.meta.url)),
  );
  return places.find((place) => existsSync(place)) ?? places[0] ?? '';
}

/** Only its owner reads it; root's home lets PostgreSQL's user pass through to its data. */
function prepareHome(home: string): void {
  mkdirSync(home, { recursive: true });
  const others = process.getuid?.() === 0 ? 0o711 : 0o700;
  chmodSync(home, others);
  for (const folder of ['run', 'logs']) mkdirSync(join(home, folder), { recursive: true, mode: 0o700 });
}

function limitLogs(home: string): void {
  for (const name of readdirSync(join(home, 'logs'))) if (name.endsWith('.log')) limitLog(join(home, 'logs', name));
}

/** Leaves the work to itself when the signal comes first. */
async function untilAborted(work: Promise<never>, signal: AbortSignal): Promise<void> {
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await Promise.race([
    work.catch((error: unknown) => {
      if (!signal.aborted) throw error;
    }),
    aborted,
  ]);
}
