import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, type Worker } from '@temporalio/worker';
import { inject } from 'vitest';
import type { Activities } from '../../../activities/contract.ts';
import { createActivities } from '../../../activities/create-activities.ts';
import type { ActivityDeps } from '../../../activities/deps.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { findLightgbmLibrary } from '../../../adapters/lightgbm-library.ts';
import { connectTemporal } from '../../../adapters/temporal-client.ts';
import { createRegistry } from '../../../db/create-registry.ts';
import { migrate } from '../../../db/migrate.ts';
import { createJudge } from '../../../domain/judge.ts';
import { ensureSearchAttributes } from '../../../infra/embedded/search-attributes.ts';
import { canonicalJson } from '../../../models/canonical-json.ts';
import { loadDefinition } from '../../../models/definition/load.ts';
import { createJobs } from '../../../models/training/create-jobs.ts';
import { createWorkers, runWorkers, stopWorkers } from '../../../workers/create-workers.ts';
import { isWorkflowRunning } from '../../../workers/is-workflow-running.ts';
import { workflowBundle } from '../../../workers/workflow-bundle.ts';
import { createTestDatabase } from '../../setup/database.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';
import { quiet } from '../../workflow/environment.ts';

/** The worker's composition on the services of the test run, in a folder, a database and a task queue of its own. */
export async function startPlatform() {
  quiet();
  const home = await mkdtemp(join(tmpdir(), 'sluice-workflows-'));
  const database = await createTestDatabase();
  await migrate(database.databaseUrl);
  const registry = createRegistry(database.databaseUrl);
  const address = inject('TEMPORAL_ADDRESS');
  const temporal = connectTemporal({ temporalAddress: address, temporalNamespace: 'default' });
  await ensureSearchAttributes(temporal.connection, 'default');
  const connection = await Connection.connect({ address });
  const native = await NativeConnection.connect({ address });
  const bundle = await workflowBundle(testCacheDir(), new DefaultLogger('ERROR'));
  const taskQueue = `test-${randomUUID()}`;
  const deps: ActivityDeps = {
    registry: registry.registry,
    artefacts: createFolderArtefactStore(join(home, 'artefacts')),
    jobs: createJobs(),
    judge: createJudge(),
    nowMs: Date.now,
    notify: () => Promise.resolve(),
    lightgbmLibrary: () => findLightgbmLibrary({ override: null, cacheDir: testCacheDir() }),
    workDir: join(home, 'work'),
    trainingMemoryMb: 512,
    codeCommit: 'test',
    requireLease: () => registry.region.requireLease(),
    requireDrill: () => Promise.resolve(),
    isRunning: (workflowId, firstRunId) => isWorkflowRunning(temporal, workflowId, firstRunId),
  };
  const startWorker = async (change: Partial<ActivityDeps> = {}, standIns: Partial<Activities> = {}) => {
    const activities = { ...createActivities({ ...deps, ...change }), ...standIns };
    const options = { connection: native, namespace: 'default', taskQueue, workflowBundle: bundle, activities };
    const workers: readonly Worker[] = await createWorkers(options);
    const running = runWorkers(workers);
    return {
      stop: async (): Promise<void> => {
        stopWorkers(workers);
        await running;
      },
    };
  };
  return {
    home,
    taskQueue,
    address,
    deps,
    registry: registry.registry,
    region: registry.region,
    client: new Client({ connection }),
    startWorker,
    /** Writes a definition and its data, and puts it into the registry. */
    apply: async (yaml: string, csv: string) => {
      await writeFile(join(home, 'data.csv'), csv);
      await writeFile(join(home, 'model.yaml'), yaml);
      const definition = await loadDefinition(join(home, 'model.yaml'));
      const digest = await deps.artefacts.put(new TextEncoder().encode(canonicalJson(definition)));
      await registry.registry.models.apply(definition, digest, 'test');
      return definition;
    },
    close: async (): Promise<void> => {
      await Promise.allSettled([connection.close(), native.close(), temporal.close(), registry.close()]);
      await database.drop();
      await rm(home, { recursive: true, force: true });
    },
  };
}

export type Platform = Awaited<ReturnType<typeof startPlatform>>;

/** Parcels: will one arrive late? Nothing here has the names, types or values of the shipped example. */
export function parcelsCsv(rows: number): string {
  const lines = ['parcel,distance_km,weight_kg,carrier,fragile,arrived'];
  let seed = 42;
  const random = (): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  for (let i = 0; i < rows; i++) {
    const distance = Math.round(random() * 900);
    const weight = Number((random() * 30).toFixed(1));
    const carrier = ['van', 'rail', 'bike'][Math.floor(random() * 3)] ?? 'van';
    const fragile = random() < 0.3;
    const score = distance / 300 + (carrier === 'bike' ? 1.5 : 0) + (fragile ? 0.6 : 0) - 2.2;
    const late = random() < 1 / (1 + Math.exp(-score));
    lines.push([`P${i}`, distance, weight, carrier, fragile, late ? 'late' : 'on time'].join(','));
  }
  return `${lines.join('\n')}\n`;
}

export const parcelsYaml = (name: string, more = ''): string => `name: ${name}
data: data.csv
entity: parcel
target: { column: arrived, positive: late }
training: { holdoutPercent: 30, folds: 3 }
${more}`;
