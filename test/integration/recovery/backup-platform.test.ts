import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createBackupActivities, type BackupDeps } from '../../../activities/backup-activities.ts';
import type { BackupActivities } from '../../../activities/backup-contract.ts';
import { withFailures } from '../../../activities/failures.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { migrate } from '../../../db/migrate.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { loadSigner } from '../../../recovery/vault/sign-manifest.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import type { VaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { backupPlatform } from '../../../workflows/backup-platform.ts';
import type { BackupPlatformResult } from '../../../workflows/messages.ts';
import { DefaultLogger } from '@temporalio/worker';
import { quiet } from '../../workflow/environment.ts';
import { createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import { remove } from './restore-world.ts';

let world: PlatformWorld;
let dir: string;
let keys: VaultKeys;
let native: NativeConnection;
let client: Client;
let bundle: string;
const verified: string[] = [];

const target = (name: string): VaultTarget => createVaultTarget(createFolderStore(join(dir, name)), keys);
const wrong = (): VaultTarget => createVaultTarget(createFolderStore('/dev/null/nowhere'), keys);

function depsFor(targets: Readonly<Record<string, VaultTarget>>, change: Partial<BackupDeps> = {}): BackupDeps {
  const open = Object.entries(targets).map(([name, vault]) => {
    const described = { kind: 'folder', name, dir, lockDays: null } as const;
    return [name, { target: described, vault }] as const;
  });
  return {
    databaseUrl: world.running.server.databaseUrl,
    artefacts: createFolderArtefactStore(world.artefactDir),
    stagingDir: join(dir, 'staging'),
    logDir: join(dir, 'logs'),
    sealingKeyPath: join(dir, 'sealing.key'),
    retention: DEFAULT_RETENTION,
    softwareVersion: '0.1.0',
    settings: { port: 8080 },
    keys: () => Promise.resolve(keys),
    targets: () => Promise.resolve(new Map(open)),
    temporalFacts: () => Promise.resolve({ namespace: 'default', schedules: [], running: [] }),
    nowMs: Date.now,
    onVerified: (name, setId, ok) => verified.push(`${name} ${setId} ${String(ok)}`),
    ...change,
  };
}

/** Runs one backup with a worker of its own. */
async function backUpNow(activities: BackupActivities): Promise<BackupPlatformResult> {
  const taskQueue = `backup-${randomUUID()}`;
  const worker = await Worker.create({ connection: native, taskQueue, workflowBundle: { code: bundle }, activities });
  return worker.runUntil(
    client.workflow.execute(backupPlatform, {
      taskQueue,
      workflowId: taskQueue,
      args: [{ label: 'before the change' }],
    }),
  );
}

describe('the workflow backupPlatform', () => {
  beforeAll(async () => {
    quiet();
    dir = await mkdtemp(join(tmpdir(), 'backup-platform-'));
    await mkdir(join(dir, 'logs'));
    await writeFile(join(dir, 'logs', 'api.log'), '{"msg":"ready"}\n');
    const { identity, recipient } = await newIdentity();
    const signer = await loadSigner(join(dir, 'signing.pem'));
    keys = { recipients: [recipient], identities: [identity], signer, trusted: [signer.publicKey] };
    [world, native, bundle] = await Promise.all([
      createPlatformWorld(),
      NativeConnection.connect({ address: inject('TEMPORAL_ADDRESS') }),
      bundleWorkflows(new DefaultLogger('ERROR')),
    ]);
    await migrate(world.running.server.databaseUrl);
    client = new Client({ connection: await Connection.connect({ address: inject('TEMPORAL_ADDRESS') }) });
  });
  afterAll(async () => {
    await Promise.allSettled([native.close(), client.connection.close(), world.running.stop()]);
    remove(world.folder);
    await rm(dir, { recursive: true, force: true });
  });

  it('leaves a whole, verified set in each target that can be used, and says which cannot', async () => {
    const [near, far] = [target('near'), target('far')];
    const result = await backUpNow(withFailures(createBackupActivities(depsFor({ near, far, lost: wrong() }))));
    expect(result.targets.map(({ target: name, verified: ok }) => [name, ok])).toEqual([
      ['near', true],
      ['far', true],
      ['lost', false],
    ]);
    expect(result.targets[2]?.problem).toContain('a part of it is a file');
    for (const vault of [near, far]) {
      const [set] = await vault.find();
      expect(set).toMatchObject({ setId: result.setId, problem: null });
      expect(set?.verifiedAt).not.toBeNull();
      const manifest = set?.manifest;
      expect(manifest).toMatchObject({
        setKind: 'physical',
        label: 'before the change',
        schemaVersion: expect.stringMatching(/^\d/) as string,
      });
      expect(manifest?.rowCounts['public.model_versions']).toBe(1);
      expect(manifest?.artefacts.length).toBeGreaterThanOrEqual(3);
      expect(manifest?.golden).toMatchObject([{ model: 'tiny', version: 1 }]);
      const names = manifest?.files.map((file) => file.name);
      for (const name of ['postgres/base.tar', 'configuration/models.json', 'logs/api.log'])
        expect(names).toContain(name);
    }
    expect(verified).toContain(`far ${result.setId} true`);
    expect(await readdir(join(dir, 'staging'))).toEqual([]);
  });

  it('goes on where it was when a step fails in the middle', async () => {
    const near = target('resumed');
    const real = createBackupActivities(depsFor({ near }));
    const calls = { stage: 0, upload: 0 };
    let copies = 0;
    const result = await backUpNow(
      withFailures<BackupActivities>({
        ...real,
        stageBackup: async (run) => {
          calls.stage += 1;
          const staged = await real.stageBackup(run);
          // The answer of the first attempt is lost with its worker.
          if (calls.stage === 1) throw new Error('the worker died');
          copies = staged.files;
          return staged;
        },
        uploadBackup: async (input) => {
          calls.upload += 1;
          const uploaded = await real.uploadBackup(input);
          if (calls.upload === 1) throw new Error('the worker died');
          return uploaded;
        },
      }),
    );
    expect(calls).toEqual({ stage: 2, upload: 2 });
    expect(copies).toBeGreaterThanOrEqual(4);
    const sets = await near.find();
    expect(sets.map((set) => set.setId)).toEqual([result.setId]);
  });
});
