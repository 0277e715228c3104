/** A real API with one model that takes all traffic, on an embedded Postgres, for the serving bench. */
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import { createApiKey } from '../api/security/api-key-format.ts';
import { createRegistry } from '../db/create-registry.ts';
import { migrate } from '../db/migrate.ts';
import type { Registry } from '../db/ports.ts';
import type { ArtefactStore } from '../domain/artefacts.ts';
import { startPostgres } from '../infra/embedded/postgres.ts';
import { startNodeService } from '../infra/platform/node-service.ts';
import type { NodeService } from '../infra/platform/node-service.ts';
import { startKeeper } from '../infra/processes/keeper-client.ts';
import { canonicalJson } from '../models/canonical-json.ts';
import { definitionDigest } from '../models/definition/load.ts';
import type { ArtefactManifest } from '../models/manifest.ts';
import type { BenchModel } from './bench-model.ts';
import { buildForProduction } from './production-build.ts';

const STOP_GRACE_MS = 15_000;
const SLOW_MS = 1_000;
/** As many as the peers have. */
const PROCESSES = 2;
const BY = 'bench';

export interface BenchPlatform {
  /** Of the API that runs now. */
  url(): string;
  /** Of the API's primary, which the serving processes are children of. */
  pid(): number;
  readonly key: string;
  readonly model: BenchModel;
  /** Resident memory of each serving process, MB. */
  memoryMb(): Promise<readonly number[]>;
  /** Gives all traffic to version 1 or 2, which are the same model. */
  swap(): Promise<void>;
  /** Postgres answers nothing while `work` runs. */
  withDatabaseHung<T>(work: () => Promise<T>): Promise<T>;
  /** Stops the API and starts it again; ms from the start of the process to its `ready`. */
  restart(): Promise<number>;
  stop(): Promise<void>;
}

async function store(artefacts: ArtefactStore, { definition, onnxPath, ...model }: BenchModel) {
  const onnx = await artefacts.putFile(onnxPath);
  const digest = await artefacts.put(new Uint8Array());
  const { algorithm, signature, evaluation, golden, foreign } = model;
  const manifest: ArtefactManifest = {
    formatVersion: 1,
    model: definition.name,
    algorithm,
    onnx,
    signature,
    evaluation,
    holdout: { digest, rows: 0 },
    golden,
    ...(foreign === undefined ? {} : { foreign }),
  };
  const manifestDigest = await artefacts.put(new TextEncoder().encode(canonicalJson(manifest)));
  return { artefactDigest: onnx.digest, manifestDigest };
}

async function registerVersion(registry: Registry, artefacts: ArtefactStore, model: BenchModel, run: string) {
  const { definition, algorithm, signature, evaluation } = model;
  const lineage = {
    dataDigest: '0'.repeat(64),
    dataSource: BY,
    dataRows: evaluation.rows,
    definitionDigest: definitionDigest(definition),
    codeCommit: BY,
    algorithm,
    parameters: {},
    seed: definition.training.seed,
    crossValidation: {},
    workflowId: BY,
    runId: run,
  };
  const stored = await store(artefacts, model);
  const row = { model: definition.name, algorithm, ...stored, signature, evaluation, lineage, registeredByRun: run };
  const { version } = await registry.versions.register(row);
  await registry.versions.settle(definition.name, version, 'accepted');
  return version;
}

async function routeTo(registry: Registry, model: string, version: number): Promise<void> {
  const current = await registry.routing.find(model);
  const generation = current?.generation ?? 0;
  await registry.routing.apply({
    model,
    expectedGeneration: generation,
    changeId: `${BY}-${generation}`,
    salt: BY,
    rolloutId: null,
    routes: [{ variant: 'champion', version, weightPercent: 100 }],
    slowMs: SLOW_MS,
    by: BY,
    reason: BY,
  });
}

/** Postgres gives every connection a process of its own, each with a process group of its own. */
async function familyOf(parent: number): Promise<readonly number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', String(parent)]);
  return [
    parent,
    ...stdout
      .split(/\s+/)
      .filter((pid) => pid !== '')
      .map(Number),
  ];
}

type Cleanup = () => Promise<unknown>;

/** The database with both versions and a key. */
async function prepare(home: string, makeModel: (home: string) => Promise<BenchModel>, cleanups: Cleanup[]) {
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  cleanups.push(() => keeper.release());
  const postgres = await startPostgres({ home, keeper, port: 0 });
  cleanups.push(() => postgres.process.stop());
  await migrate(postgres.databaseUrl);
  const database = createRegistry(postgres.databaseUrl);
  cleanups.push(() => database.close());
  const { registry } = database;
  const model = await makeModel(home);
  await registry.models.apply(model.definition, definitionDigest(model.definition), BY);
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  for (const run of ['first', 'second']) await registerVersion(registry, artefacts, model, run);
  await routeTo(registry, model.definition.name, 1);
  const { key, row } = createApiKey(BY, ['predict', 'monitor']);
  await registry.keys.create({ ...row, tier: 'unlimited' }, BY);
  return { keeper, postgres, registry, model, key };
}

type Prepared = Awaited<ReturnType<typeof prepare>>;

function startApi(home: string, module: URL, { keeper, postgres }: Prepared): Promise<NodeService> {
  return startNodeService({
    name: 'api',
    module,
    home,
    // Predictions need no Temporal, and the bench shows that as well.
    env: {
      SLUICE_HOME: home,
      SLUICE_PORT: '0',
      SLUICE_API_PROCESSES: String(PROCESSES),
      DATABASE_URL: postgres.databaseUrl,
      TEMPORAL_ADDRESS: '127.0.0.1:1',
    },
    watcher: keeper,
    stopGraceMs: STOP_GRACE_MS,
    stopOrder: 0,
  });
}

async function whileHung<T>(postmaster: number, work: () => Promise<T>): Promise<T> {
  const server = await familyOf(postmaster);
  for (const pid of server) process.kill(pid, 'SIGSTOP');
  try {
    return await work();
  } finally {
    for (const pid of server) process.kill(pid, 'SIGCONT');
  }
}

/** Makes the model, builds and starts the platform. `stop` leaves nothing behind. */
export async function startBenchPlatform(
  makeModel: (home: string) => Promise<BenchModel>,
  log: (line: string) => void,
): Promise<BenchPlatform> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // The embedded server runs as another user when this one is root: it must reach its folder.
  await chmod(home, 0o755);
  const cleanups: Cleanup[] = [() => rm(home, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const prepared = await prepare(home, makeModel, cleanups);
    log('building for production');
    const module = await buildForProduction(join(home, 'build'));
    let api = await startApi(home, module, prepared);
    cleanups.push(() => api.process.stop());
    const restart = async (): Promise<number> => {
      await api.process.stop();
      const startedAt = performance.now();
      api = await startApi(home, module, prepared);
      return performance.now() - startedAt;
    };
    const url = (): string => `http://127.0.0.1:${String(api.ready['port'])}`;
    return { ...controls(prepared, url), pid: () => api.process.pid, restart, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function controls({ registry, postgres, model, key }: Prepared, url: () => string) {
  let version = 1;
  return {
    url,
    key,
    model,
    memoryMb: async () => {
      const answer = await fetch(`${url()}/health/detailed`, { headers: { 'x-api-key': key } });
      const { processes } = (await answer.json()) as { processes: { memory_mb: number }[] };
      return processes.map((p) => p.memory_mb);
    },
    swap: () => routeTo(registry, model.definition.name, (version = 3 - version)),
    withDatabaseHung: <T>(work: () => Promise<T>) => whileHung(postgres.process.pid, work),
  };
}
