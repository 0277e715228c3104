/** A real API process with the shipped example trained and serving, on an embedded Postgres, for the serving bench. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../adapters/config.ts';
import { createFolderArtefactStore } from '../adapters/folder-artefact-store.ts';
import { findLightgbmLibrary } from '../adapters/lightgbm-library.ts';
import { createApiKey } from '../api/security/api-key-format.ts';
import { createRegistry } from '../db/create-registry.ts';
import { migrate } from '../db/migrate.ts';
import type { Registry } from '../db/ports.ts';
import type { ArtefactStore } from '../domain/artefacts.ts';
import type { TrainableDefinition } from '../domain/definition.ts';
import { startPostgres } from '../infra/embedded/postgres.ts';
import { startNodeService } from '../infra/platform/node-service.ts';
import { startKeeper } from '../infra/processes/keeper-client.ts';
import { siblingModule } from '../infra/processes/node-program.ts';
import { canonicalJson } from '../models/canonical-json.ts';
import { definitionDigest, loadDefinition } from '../models/definition/load.ts';
import type { ArtefactManifest } from '../models/manifest.ts';
import { createJobs } from '../models/training/create-jobs.ts';
import type { TrainingOutcome } from '../models/training/job.ts';

const DEFINITION = fileURLToPath(new URL('../examples/churn/model.yaml', import.meta.url));
const STOP_GRACE_MS = 15_000;
const SLOW_MS = 1_000;

export interface BenchPlatform {
  readonly url: string;
  readonly key: string;
  stop(): Promise<void>;
}

async function train(definition: TrainableDefinition, workDir: string, log: (line: string) => void) {
  const config = readConfig();
  const library = await findLightgbmLibrary({ override: config.lightgbmLibrary, cacheDir: config.cacheDir });
  log('training the example');
  const { algorithms, seed } = definition.training;
  const job = { dataPath: definition.data.source, definition, algorithms, seed, workDir };
  const outcome = await createJobs().train(
    { ...job, lightgbmLibrary: library.path },
    { onProgress: () => undefined, signal: new AbortController().signal, memoryMb: config.trainingMemoryMb },
  );
  log(`trained: ${outcome.algorithm}`);
  return outcome;
}

async function store(artefacts: ArtefactStore, model: string, outcome: TrainingOutcome) {
  const onnx = await artefacts.putFile(outcome.onnxPath);
  const holdout = await artefacts.putFile(outcome.holdoutPath);
  const { algorithm, signature, evaluation, golden, holdoutRows } = outcome;
  const held = { digest: holdout.digest, rows: holdoutRows };
  const manifest: ArtefactManifest = {
    formatVersion: 1,
    model,
    algorithm,
    onnx,
    signature,
    evaluation,
    holdout: held,
    golden,
  };
  const manifestDigest = await artefacts.put(new TextEncoder().encode(canonicalJson(manifest)));
  return { artefactDigest: onnx.digest, manifestDigest };
}

/** Registers the outcome as version 1 and gives it all traffic. */
async function serve(
  registry: Registry,
  artefacts: ArtefactStore,
  definition: TrainableDefinition,
  outcome: TrainingOutcome,
): Promise<void> {
  const by = 'bench';
  const { name: model } = definition;
  const { algorithm, signature, evaluation, parameters, crossValidation } = outcome;
  const digest = definitionDigest(definition);
  await registry.models.apply(definition, digest, by);
  const lineage = {
    dataDigest: '0'.repeat(64),
    dataSource: definition.data.source,
    dataRows: evaluation.rows,
    definitionDigest: digest,
    codeCommit: 'bench',
    algorithm,
    parameters,
    seed: definition.training.seed,
    crossValidation,
    workflowId: by,
    runId: by,
  };
  const stored = await store(artefacts, model, outcome);
  const row = { model, algorithm, ...stored, signature, evaluation, lineage, registeredByRun: by };
  const { version } = await registry.versions.register(row);
  await registry.versions.settle(model, version, 'accepted');
  await registry.routing.apply({
    model,
    expectedGeneration: 0,
    changeId: by,
    salt: by,
    rolloutId: null,
    routes: [{ variant: 'champion', version, weightPercent: 100 }],
    slowMs: SLOW_MS,
    by,
    reason: by,
  });
}

/** Trains, starts, and is ready to answer. `stop` leaves nothing behind. */
export async function startBenchPlatform(log: (line: string) => void): Promise<BenchPlatform> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  // The embedded server runs as another user when this one is root: it must reach its folder.
  await chmod(home, 0o755);
  const cleanups: (() => Promise<void>)[] = [() => rm(home, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  };
  try {
    const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
    cleanups.push(() => keeper.release());
    const postgres = await startPostgres({ home, keeper, port: 0 });
    cleanups.push(async () => {
      await postgres.process.stop();
    });
    await migrate(postgres.databaseUrl);
    const database = createRegistry(postgres.databaseUrl);
    const { registry } = database;
    const definition = await loadDefinition(DEFINITION);
    const outcome = await train(definition, join(home, 'work'), log);
    await serve(registry, createFolderArtefactStore(join(home, 'artefacts')), definition, outcome);
    const { key, row } = createApiKey('bench', ['predict', 'monitor']);
    await registry.keys.create(row, 'bench');
    await database.close();
    const api = await startNodeService({
      name: 'api',
      module: siblingModule('../api/main.ts', import.meta.url),
      home,
      // Predictions need no Temporal, and the bench shows that as well.
      env: {
        SLUICE_HOME: home,
        SLUICE_PORT: '0',
        DATABASE_URL: postgres.databaseUrl,
        TEMPORAL_ADDRESS: '127.0.0.1:1',
      },
      watcher: keeper,
      stopGraceMs: STOP_GRACE_MS,
      stopOrder: 0,
    });
    cleanups.push(async () => {
      await api.process.stop();
    });
    return { url: `http://127.0.0.1:${String(api.ready['port'])}`, key, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
