/** A real API, primary and serving processes, with one model whose routing the caller sets. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createApiKey } from '../../api/security/api-key-format.ts';
import { createRegistry } from '../../db/create-registry.ts';
import type { Registry } from '../../db/ports.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import type { Route } from '../../domain/routing.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import type { LoadTarget } from './steady-load.ts';

const SOURCE = new URL('../../api/main.ts', import.meta.url);
const READY_TIMEOUT_MS = 60_000;
const SLOW_MS = 1_000;
const BY = 'faults';

/** Every version of it has the same graph: which one has answered is in the answer. */
export interface FaultModel {
  readonly definition: ModelDefinition;
  readonly onnx: Uint8Array;
  readonly manifest: ArtefactManifest;
  readonly features: object;
}

export interface FaultApiOptions {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly model: FaultModel;
  readonly processes?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Entry of a production build; absent: the sources. */
  readonly module?: URL;
  /** Modules loaded before the API's own, in each of its processes. */
  readonly preload?: readonly URL[];
}

export interface Health {
  readonly status: string;
  readonly processes: readonly {
    readonly pid: number;
    readonly memory_mb: number;
    readonly ready: boolean;
    readonly reasons: readonly string[];
  }[];
  readonly process_crashes: number;
  readonly models: readonly { readonly generation: number; readonly routes: readonly { readonly version: number }[] }[];
  readonly records: { readonly queued: number; readonly dropped: number };
  readonly journal: {
    readonly shipped: number;
    readonly dropped: number;
    readonly spilled: number;
    readonly failing: boolean;
  };
}

export interface FaultApi {
  readonly home: string;
  readonly model: string;
  readonly registry: Registry;
  /** For `startLoad`. */
  readonly target: () => LoadTarget;
  readonly pid: () => number;
  call(method: string, path: string, body?: unknown): Promise<Response>;
  health(): Promise<Health>;
  /** 200 of `/ready`. */
  isReady(): Promise<boolean>;
  metric(name: string): Promise<number>;
  /** Puts a version into the artefacts and the registry. */
  addVersion(damage?: (onnx: Uint8Array) => Uint8Array): Promise<number>;
  route(...routes: readonly Route[]): Promise<number>;
  /** Ids of the predictions in the database, one for each row. */
  stored(): Promise<readonly string[]>;
  logs(): string;
  signal(signal: NodeJS.Signals): void;
  /** Starts it again on the same home; ms to its `ready`. */
  start(): Promise<number>;
  exited(): Promise<number | null>;
  remove(): Promise<void>;
}

export const champion = (version: number, weightPercent = 100): Route => ({
  variant: 'champion',
  version,
  weightPercent,
});

function lineageOf(definition: ModelDefinition, run: string) {
  return {
    dataDigest: '0'.repeat(64),
    dataSource: BY,
    dataRows: 1,
    definitionDigest: BY,
    codeCommit: BY,
    algorithm: 'spline-logistic',
    parameters: {},
    seed: definition.training.seed,
    crossValidation: {},
    workflowId: BY,
    runId: run,
  };
}

class Api {
  readonly #options: FaultApiOptions;
  readonly #home: string;
  #child: ChildProcess | null = null;
  #exit: Promise<number | null> = Promise.resolve(null);
  #output = '';
  port = 0;

  constructor(options: FaultApiOptions, home: string) {
    this.#options = options;
    this.#home = home;
  }

  get child(): ChildProcess {
    if (this.#child === null) throw new Error('the API is not started');
    return this.#child;
  }

  get exit(): Promise<number | null> {
    return this.#exit;
  }

  get output(): string {
    return this.#output;
  }

  async start(): Promise<number> {
    const { databaseUrl, temporalAddress, module = SOURCE, preload = [], processes = 2, env } = this.#options;
    const startedAt = performance.now();
    const typescript = module.href.endsWith('.ts') || preload.length > 0 ? ['--import', 'tsx'] : [];
    const child = fork(fileURLToPath(module), {
      execArgv: [...typescript, ...preload.flatMap((one) => ['--import', one.href])],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        PATH: process.env['PATH'],
        SLUICE_HOME: this.#home,
        SLUICE_PORT: String(this.port),
        SLUICE_API_PROCESSES: String(processes),
        DATABASE_URL: databaseUrl,
        TEMPORAL_ADDRESS: temporalAddress,
        ...env,
      },
    });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (piece: Buffer) => (this.#output += piece.toString()));
    }
    this.#exit = once(child, 'exit').then(([code]) => code as number | null);
    const failed = this.#exit.then((code) => Promise.reject(new Error(`ended with ${String(code)}: ${this.#output}`)));
    failed.catch(() => undefined);
    const ready = once(child, 'message', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
    const [message] = (await Promise.race([ready, failed])) as [{ port: number }];
    this.port = message.port;
    return performance.now() - startedAt;
  }

  async stop(): Promise<void> {
    if (this.#child?.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#exit;
  }
}

function publisher(registry: Registry, home: string, { definition, onnx, manifest }: FaultModel) {
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  return async (damage: (onnx: Uint8Array) => Uint8Array = (bytes) => bytes): Promise<number> => {
    const bytes = damage(onnx);
    const digest = await artefacts.put(bytes);
    const stored = { ...manifest, onnx: { digest, bytes: bytes.byteLength } };
    const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(stored)));
    const run = randomUUID();
    const { signature, evaluation, algorithm } = manifest;
    const { version } = await registry.versions.register({
      model: definition.name,
      algorithm,
      artefactDigest: digest,
      manifestDigest,
      signature,
      evaluation,
      lineage: lineageOf(definition, run),
      registeredByRun: run,
    });
    await registry.versions.settle(definition.name, version, 'accepted');
    return version;
  };
}

/** Starts with version 1 taking all traffic. */
export async function startFaultApi(options: FaultApiOptions): Promise<FaultApi> {
  const { databaseUrl, model } = options;
  const { name } = model.definition;
  const home = await mkdtemp(join(tmpdir(), 'sluice-faults-'));
  const database = createRegistry(databaseUrl, { applicationName: BY });
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  const { registry } = database;
  await registry.models.apply(model.definition, BY, BY);
  const addVersion = publisher(registry, home, model);
  const route = async (...routes: readonly Route[]): Promise<number> => {
    const expectedGeneration = (await registry.routing.find(name))?.generation ?? 0;
    const change = { model: name, expectedGeneration, changeId: randomUUID(), salt: BY, rolloutId: null, routes };
    await registry.routing.apply({ ...change, slowMs: SLOW_MS, by: BY, reason: BY });
    return expectedGeneration + 1;
  };
  await route(champion(await addVersion()));
  const { key, row } = createApiKey(BY, ['admin']);
  await registry.keys.create({ ...row, tier: 'unlimited' }, BY);
  const api = new Api(options, home);
  await api.start();
  const body = JSON.stringify({ model: name, features: model.features });
  const call = (method: string, path: string, sent?: unknown): Promise<Response> =>
    fetch(`http://127.0.0.1:${api.port}${path}`, {
      method,
      headers: { 'x-api-key': key, connection: 'close', 'content-type': 'application/json' },
      ...(sent === undefined ? {} : { body: JSON.stringify(sent) }),
    });
  return {
    home,
    model: name,
    registry,
    target: () => ({ port: api.port, path: '/predict', key, body }),
    pid: () => api.child.pid ?? 0,
    call,
    health: async () => (await (await call('GET', '/health/detailed')).json()) as Health,
    isReady: async () => (await call('GET', '/ready')).ok,
    metric: async (metric) => {
      const text = await (await call('GET', '/metrics')).text();
      const lines = text.split('\n').filter((line) => line.startsWith(`${metric} `) || line.startsWith(`${metric}{`));
      return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
    },
    addVersion,
    route,
    stored: async () => (await sql`select request_id from predictions`).map((r) => String(r['request_id'])),
    logs: () => api.output,
    signal: (signal) => void api.child.kill(signal),
    start: () => api.start(),
    exited: () => api.exit,
    remove: async () => {
      await api.stop();
      await Promise.allSettled([database.close(), sql.end({ timeout: 2 })]);
      await rm(home, { recursive: true, force: true });
    },
  };
}
