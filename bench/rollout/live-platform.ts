/** A worker and an API with several serving processes on a database and a Temporal that are there: rollouts as they are. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createApiKey } from '../../api/security/api-key-format.ts';
import { createRegistry } from '../../db/create-registry.ts';
import type { Registry } from '../../db/ports.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import type { PlanOverrides, Strategy } from '../../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';

const MODULES = {
  api: new URL('../../api/main.ts', import.meta.url),
  worker: new URL('../../workers/main.ts', import.meta.url),
} as const;
/** The worker may have to bundle its workflows first. */
const READY_TIMEOUT_MS = 90_000;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 100;
const BY = 'live';
const SLOW_MS = 1_000;

export interface LiveOptions {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
  readonly cacheDir: string;
  readonly processes?: number;
}

export interface LiveVersion {
  readonly onnx: Uint8Array;
  readonly manifest: ArtefactManifest;
}

export interface RolloutOrder {
  readonly strategy?: Strategy;
  readonly plan: PlanOverrides;
}

/** As `GET /rollouts/{id}` answers. */
export interface RolloutView {
  readonly id: string;
  readonly phase: string;
  readonly reason: string | null;
  readonly snapshot: RolloutSnapshot | null;
}

export interface LivePlatform {
  readonly port: number;
  readonly key: string;
  readonly home: string;
  readonly registry: Registry;
  /** Registers the definition and its versions, 1, 2, ...; the first takes all traffic. */
  addModel(definition: ModelDefinition, versions: readonly LiveVersion[]): Promise<void>;
  /** @throws when the API does not answer as expected */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Starts a rollout of version 2; resolves with its id. */
  start(model: string, order: RolloutOrder): Promise<string>;
  /** Waits until a rollout has ended. */
  ended(rolloutId: string, timeoutMs: number): Promise<RolloutView>;
  /** With -9, and started again at once, the API at its port. `serving`: one of its processes, which its primary replaces. */
  kill(which: 'api' | 'worker' | 'serving'): Promise<void>;
  logs(): string;
  stop(): Promise<void>;
}

interface Child {
  readonly process: ChildProcess;
  readonly ready: { readonly port?: number };
  readonly output: () => string;
}

async function start(module: URL, env: Record<string, string>): Promise<Child> {
  const child = fork(fileURLToPath(module), {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: { PATH: process.env['PATH'], ...env },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (piece: Buffer) => (output += piece.toString()));
  }
  const failed = once(child, 'exit').then(([code]) =>
    Promise.reject(new Error(`ended with ${String(code)}: ${output}`)),
  );
  failed.catch(() => undefined);
  const ready = once(child, 'message', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
  const [message] = (await Promise.race([ready, failed])) as [{ port?: number }];
  return { process: child, ready: message, output: () => output };
}

/** @throws when one does not start; `into` has the other then */
async function startAll(into: Map<keyof typeof MODULES, Child>, env: Record<string, string>): Promise<void> {
  const begun = await Promise.allSettled(
    (['api', 'worker'] as const).map(async (which) => into.set(which, await start(MODULES[which], env))),
  );
  const failure = begun.find((one) => one.status === 'rejected');
  if (failure !== undefined) throw failure.reason;
}

async function kill(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

/** Its primary replaces it. */
async function killOne(call: LivePlatform['call']): Promise<void> {
  const { processes } = await call<{ processes: { pid: number }[] }>('GET', '/health/detailed');
  const [first] = processes;
  if (first === undefined) throw new Error('no serving process is known');
  process.kill(first.pid, 'SIGKILL');
}

async function end({ process: child }: Child): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await exited;
  clearTimeout(late);
}

function publisher(registry: Registry, home: string) {
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  return async (definition: ModelDefinition, versions: readonly LiveVersion[]): Promise<void> => {
    const { name } = definition;
    await registry.models.apply(definition, BY, BY);
    for (const { onnx, manifest } of versions) {
      const digest = await artefacts.put(onnx);
      const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(manifest)));
      const { signature, evaluation, algorithm } = manifest;
      const run = randomUUID();
      const lineage = {
        dataDigest: '0'.repeat(64),
        dataSource: BY,
        dataRows: evaluation.rows,
        definitionDigest: BY,
        codeCommit: BY,
        algorithm,
        parameters: {},
        seed: definition.training.seed,
        crossValidation: {},
        workflowId: BY,
        runId: run,
      };
      const stored = { artefactDigest: digest, manifestDigest, signature, evaluation, lineage };
      const { version } = await registry.versions.register({ model: name, algorithm, ...stored, registeredByRun: run });
      await registry.versions.settle(name, version, 'accepted');
    }
    await registry.versions.setAliases(name, { champion: 1 }, BY, randomUUID());
    const first = { expectedGeneration: 0, changeId: randomUUID(), salt: BY, rolloutId: null, slowMs: SLOW_MS };
    const routes = [{ variant: 'champion', version: 1, weightPercent: 100 }] as const;
    await registry.routing.apply({ model: name, ...first, routes, by: BY, reason: 'the first version' });
  };
}

/** `stop` leaves nothing behind; the database is the caller's. */
export async function startLivePlatform(options: LiveOptions): Promise<LivePlatform> {
  const { databaseUrl, temporalAddress, cacheDir, processes = 2 } = options;
  const home = await mkdtemp(join(tmpdir(), 'sluice-live-'));
  const database = createRegistry(databaseUrl, { applicationName: BY });
  const { registry } = database;
  const { key, row } = createApiKey(BY, ['admin']);
  await registry.keys.create({ ...row, tier: 'unlimited' }, BY);
  const env = {
    SLUICE_HOME: home,
    SLUICE_CACHE: cacheDir,
    SLUICE_PORT: '0',
    SLUICE_API_PROCESSES: String(processes),
    SLUICE_TASK_QUEUE: `${BY}-${randomUUID()}`,
    DATABASE_URL: databaseUrl,
    TEMPORAL_ADDRESS: temporalAddress,
  };
  const children = new Map<keyof typeof MODULES, Child>();
  const stop = async (): Promise<void> => {
    await Promise.all([...children.values()].map(end));
    await database.close();
    await rm(home, { recursive: true, force: true });
  };
  await startAll(children, env).catch((error: unknown) => stop().then(() => Promise.reject(error as Error)));
  const port = (): number => children.get('api')?.ready.port ?? 0;
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port()}${path}`, {
      method,
      headers: { 'x-api-key': key, connection: 'close', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text.startsWith('{') ? JSON.parse(text) : text) as T;
  };
  return {
    get port() {
      return port();
    },
    key,
    home,
    registry,
    addModel: publisher(registry, home),
    call,
    start: async (model, order) => {
      const started = await call<{ rollout_id: string | null }>('POST', '/rollouts', { model, version: 2, ...order });
      if (started.rollout_id === null) throw new Error(`the rollout of ${model} was not taken up`);
      return started.rollout_id;
    },
    ended: async (rolloutId, timeoutMs) => {
      const untilMs = performance.now() + timeoutMs;
      for (;;) {
        const view = await call<RolloutView & { finished_at: string | null }>('GET', `/rollouts/${rolloutId}`);
        if (view.finished_at !== null) return view;
        if (performance.now() > untilMs) {
          throw new Error(`the rollout has not ended after ${timeoutMs} ms: ${JSON.stringify(view.snapshot, null, 1)}`);
        }
        await pause(POLL_MS);
      }
    },
    kill: async (which) => {
      if (which === 'serving') return killOne(call);
      await kill(children.get(which)?.process);
      children.set(which, await start(MODULES[which], { ...env, SLUICE_PORT: String(port()) }));
    },
    logs: () => [...children.values()].map((child) => child.output()).join('\n'),
    stop,
  };
}
