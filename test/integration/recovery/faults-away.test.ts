import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger, NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createBackupActivities, type BackupDeps } from '../../../activities/backup-activities.ts';
import type { BackupActivities } from '../../../activities/backup-contract.ts';
import { withFailures } from '../../../activities/failures.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { createDatabase } from '../../../db/connect.ts';
import { createRecoveryStore } from '../../../db/recovery-store.ts';
import { DomainError } from '../../../domain/errors.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { startTemporal, type EmbeddedTemporal } from '../../../infra/embedded/temporal.ts';
import { runDrill } from '../../../recovery/drill/run-drill.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { WORKFLOWS, type BackupPlatformResult } from '../../../workflows/messages.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';
import { quiet } from '../../workflow/environment.ts';
import { backUp, createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import { mountSmallDisk, remove, startShipping, untilShipped } from './restore-world.ts';

let world: PlatformWorld;
let bundle: string;

function activitiesFor(stores: Readonly<Record<string, ObjectStore>>, change: Partial<BackupDeps> = {}) {
  const { keys } = world;
  const targets = Object.entries(stores).map(([name, store]) => {
    const target = { kind: 'folder', name, dir: '', lockDays: null } as const;
    return [name, { target, vault: createVaultTarget(store, keys) }] as const;
  });
  const activities = createBackupActivities({
    databaseUrl: world.running.server.databaseUrl,
    artefacts: createFolderArtefactStore(world.artefactDir),
    stagingDir: join(world.folder, 'staging'),
    logDir: join(world.folder, 'logs'),
    sealingKeyPath: null,
    retention: DEFAULT_RETENTION,
    softwareVersion: '0',
    settings: {},
    keys: () => Promise.resolve(keys),
    targets: () => Promise.resolve(new Map(targets)),
    temporalFacts: () => Promise.resolve({ namespace: 'default', schedules: [], running: [] }),
    nowMs: Date.now,
    requireLease: () => Promise.resolve(),
    onVerified: () => undefined,
    ...change,
  });
  return withFailures<BackupActivities>(activities);
}

/** One backup by a worker of its own; `meanwhile` runs beside it. */
async function backUpBy(
  address: string,
  activities: BackupActivities,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<BackupPlatformResult> {
  const connection = await NativeConnection.connect({ address });
  const client = new Client({ connection: await Connection.connect({ address }) });
  const taskQueue = `away-${randomUUID()}`;
  const worker = await Worker.create({ connection, taskQueue, workflowBundle: { code: bundle }, activities });
  try {
    return await worker.runUntil(async () => {
      const options = { taskQueue, workflowId: taskQueue, args: [{}] as [object] };
      const handle = await client.workflow.start<(input: object) => Promise<BackupPlatformResult>>(
        WORKFLOWS.backup,
        options,
      );
      await meanwhile();
      return handle.result();
    });
  } finally {
    await Promise.allSettled([connection.close(), client.connection.close()]);
  }
}

const vaultOf = (store: ObjectStore): VaultTarget => createVaultTarget(store, world.keys);

describe('what a backup stands', () => {
  beforeAll(async () => {
    quiet();
    [world, bundle] = await Promise.all([createPlatformWorld(), bundleWorkflows(new DefaultLogger('ERROR'))]);
  });
  afterAll(async () => {
    await world.running.stop();
    remove(world.folder);
  });

  it('a target that refuses for a while: what is staged waits, and arrives once', async () => {
    const real = createFolderStore(join(world.folder, 'refusing'));
    let refusals = 0;
    const refusing: ObjectStore = {
      ...real,
      put: (key, content, options) => {
        if (key.startsWith('sets/') && refusals++ < 3)
          return Promise.reject(new DomainError('unavailable', 'the target is away'));
        return real.put(key, content, options);
      },
    };
    const result = await backUpBy(inject('TEMPORAL_ADDRESS'), activitiesFor({ refusing }));
    expect(refusals).toBeGreaterThan(3);
    expect(result.targets).toMatchObject([{ target: 'refusing', verified: true }]);
    expect(readdirSync(join(world.folder, 'staging'))).toEqual([]);
  });

  it('a disk of the target that is full: nothing half-made stays on it, the other target has its set, and room lets it go on', async (context) => {
    const dir = join(world.folder, 'full');
    const disk = mountSmallDisk(dir, '1m');
    if (disk === null) context.skip('this user may not mount a file system of its own');
    try {
      const [full, near] = [createFolderStore(dir), createFolderStore(join(world.folder, 'near'))];
      const activities = activitiesFor({ full, near });
      const seen: string[] = [];
      const uploadBackup: BackupActivities['uploadBackup'] = async (input) => {
        try {
          return await activities.uploadBackup(input);
        } catch (error) {
          seen.push((error as Error).message);
          throw error;
        }
      };
      const result = await backUpBy(inject('TEMPORAL_ADDRESS'), { ...activities, uploadBackup }, async () => {
        await expect.poll(() => seen.length, { timeout: 30_000 }).toBeGreaterThan(0);
        expect(seen[0]).toContain('the disk is full (ENOSPC)');
        expect(await vaultOf(full).find()).toEqual([]);
        await expect.poll(() => readdirSync(join(dir, '.incoming')), { timeout: 10_000 }).toEqual([]);
        await expect.poll(async () => (await vaultOf(near).find()).length, { timeout: 30_000 }).toBe(1);
        disk?.grow('256m');
      });
      expect(result.targets.map(({ target, verified }) => [target, verified])).toEqual([
        ['full', true],
        ['near', true],
      ]);
    } finally {
      disk?.unmount();
    }
  });

  it('Temporal that goes away in the middle', async () => {
    const home = join(world.folder, 'temporal-home');
    mkdirSync(home);
    const start = (port: number): Promise<EmbeddedTemporal> =>
      startTemporal({ home, keeper: null, cacheDir: testCacheDir(), port, uiPort: 0 });
    let temporal = await start(0);
    const { address, port } = temporal;
    try {
      const store = createFolderStore(join(world.folder, 'outage'));
      let reached = false;
      let resume: () => void = () => undefined;
      const gone = new Promise<void>((resolve) => (resume = resolve));
      const temporalFacts = async () => {
        reached = true;
        await gone;
        return { namespace: 'default', schedules: [], running: [] };
      };
      const result = await backUpBy(address, activitiesFor({ outage: store }, { temporalFacts }), async () => {
        await expect.poll(() => reached, { timeout: 30_000 }).toBe(true);
        await temporal.process.stop();
        // The copy is finished while nobody can be told of it.
        resume();
        await expect.poll(() => readdirSync(join(world.folder, 'staging')).length, { timeout: 10_000 }).toBe(1);
        // Somebody else may have the port of the UI, which is chosen anew, for a moment.
        await expect.poll(() => start(port).then((again) => (temporal = again).port), { timeout: 30_000 }).toBe(port);
      });
      expect(result.targets).toMatchObject([{ verified: true }]);
      expect(await vaultOf(store).find()).toHaveLength(1);
    } finally {
      await temporal.process.stop();
    }
  });

  it('writes that go on during a drill: none fails, and nothing that was shipped before it is missing', async () => {
    const { running } = world;
    const shipping = startShipping(running.server.databaseUrl, world.target.store, createWalCodec(world.keys));
    await backUp(world, running, world.artefactDir);
    await running.query(`insert into notes(body) select 'before the drill' from generate_series(1, 20)`);
    await untilShipped(running, shipping);
    const database = createDatabase(running.server.databaseUrl);
    const state = { over: false, written: 0 };
    const writing = (async () => {
      while (!state.over) {
        await running.query(`insert into notes(body) values ('meanwhile')`);
        state.written += 1;
      }
    })();
    const record = createRecoveryStore(database);
    const report = await runDrill({ target: world.target, home: running.home, record }).finally(
      () => (state.over = true),
    );
    await writing;
    await Promise.all([database.close(), shipping.stop()]);
    expect(state.written).toBeGreaterThan(10);
    expect(report).toMatchObject({ passed: true, failure: null });
    expect(report.state?.checks.rows['public.notes']).toBeGreaterThanOrEqual(120);
  });
});
