import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { Client, Connection, type WorkflowFailedError } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createBackupActivities, type BackupDeps } from '../../../activities/backup-activities.ts';
import type { BackupActivities } from '../../../activities/backup-contract.ts';
import { withFailures } from '../../../activities/failures.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { migrate } from '../../../db/migrate.ts';
import { platformTables } from '../../../db/platform-tables.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { loadSigner } from '../../../recovery/vault/sign-manifest.ts';
import { previewRestore } from '../../../recovery/restore/restore-and-check.ts';
import { placeRestored, stageRestore } from '../../../recovery/restore/restore-platform.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import type { VaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { setFileKey } from '../../../domain/recovery/layout.ts';
import { startBackup, startDrill } from '../../../api/temporal-backups.ts';
import { backupPlatform } from '../../../workflows/backup-platform.ts';
import { verifyBackup } from '../../../workflows/verify-backup.ts';
import { BACKUP_WORKFLOW_ID, WORKFLOWS, type BackupPlatformResult } from '../../../workflows/messages.ts';
import { DRILL_WORKFLOW_ID, RESTORE_WORKFLOWS } from '../../../workflows/restore-messages.ts';
import { DefaultLogger } from '@temporalio/worker';
import { quiet } from '../../workflow/environment.ts';
import { query } from '../../support/query.ts';
import { createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import { remove, startServer } from './restore-world.ts';

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
    requireLease: () => Promise.resolve(),
    onVerified: (name, setId, ok) => verified.push(`${name} ${setId} ${String(ok)}`),
    ...change,
  };
}

/** Everything that a text form can get wrong; one row of today, one of yesterday, one of a day without a partition. */
const AWKWARD_ROWS = `
  insert into audit_log(actor, action, subject, reason, details)
  values ('a', 'b', 'c', E'tab\\t newline\\n back\\\\slash \\\\N \\\\. é 漢 😀 "quoted"', '{"a":[1,2.5,null,"x\\\\n"]}');
  insert into predictions(request_id, created_at, model, version, variant, features, probability, label, risk, latency_ms)
  select gen_random_uuid(), at, 'tiny', 1, 'champion', '{"x":1}', 0.1 + 0.2, 'no', 'low', 1.1
  from unnest(array[now(), now() - interval '1 day', now() - interval '40 days']) at;`;

/** A user as managed servers give it: it owns nothing of the server, and may not replicate. */
async function withoutReplication(databaseUrl: string): Promise<string> {
  await query(
    databaseUrl,
    `create role managed login password 'managed';
     grant usage on schema public, drizzle to managed;
     grant select on all tables in schema public, drizzle to managed;
     grant select on all sequences in schema public to managed`,
  );
  const url = new URL(databaseUrl);
  url.username = 'managed';
  url.password = 'managed';
  return url.href;
}

/** Of the rows of each table that a restore leaves as they were. */
async function digestsOf(databaseUrl: string): Promise<readonly unknown[]> {
  const kept = ['models', 'model_versions', 'model_aliases', 'predictions', 'gate_reports', 'api_keys', 'feedback'];
  const each = kept.map(
    (table) =>
      `select '${table}' as name, count(*)::int as n, md5(string_agg(t::text, '|' order by t::text)) from ${table} t`,
  );
  const audited = `select 'audit' as name, count(*)::int, md5(string_agg(t::text, '|' order by t::text)) from audit_log t where actor = 'a'`;
  return query(databaseUrl, [...each, audited].join(' union all '));
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

/** The same for the verification of one set. */
async function verifyNow(activities: BackupActivities, setId: string) {
  const taskQueue = `verify-${randomUUID()}`;
  const worker = await Worker.create({ connection: native, taskQueue, workflowBundle: { code: bundle }, activities });
  const options = { taskQueue, workflowId: taskQueue, args: [{ setId, target: 'near' }] as const };
  return worker.runUntil(
    client.workflow.execute(verifyBackup, { ...options, args: [...options.args] }).then(
      (found) => ({ found, failure: null }),
      (error: unknown) => ({ found: null, failure: (error as WorkflowFailedError).cause?.message ?? '' }),
    ),
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

  it('is verified once more when asked, and a damaged file is named', async () => {
    const near = target('near');
    const activities = withFailures(createBackupActivities(depsFor({ near })));
    const [set] = await near.sets();
    const setId = set?.setId ?? '';
    expect(await verifyNow(activities, setId)).toMatchObject({ found: { setId, contentChecked: true } });
    const file = join(dir, 'near', setFileKey(setId, 'logs/api.log'));
    const bytes = await readFile(file);
    const flipped = Buffer.from(bytes);
    flipped[flipped.byteLength - 1]! ^= 1;
    await rm(file);
    await writeFile(file, flipped);
    expect((await verifyNow(activities, setId)).failure).toContain('logs/api.log');
    await rm(file);
    await writeFile(file, bytes);
  });

  it.each([
    ['', WORKFLOWS.backup, BACKUP_WORKFLOW_ID, startBackup] as const,
    [', as a drill', RESTORE_WORKFLOWS.drill, DRILL_WORKFLOW_ID, startDrill] as const,
  ])('is started once at a time, whoever began the one that runs%s', async (_, type, workflowId, begin) => {
    const taskQueue = `nobody-${randomUUID()}`;
    const scheduled = await client.workflow.start(type, {
      taskQueue,
      workflowId: `${workflowId}-${new Date().toISOString()}`,
      args: [{}],
    });
    try {
      await expect
        .poll(() => begin(client, taskQueue, {}).catch((error: unknown) => error), { timeout: 15_000 })
        .toMatchObject({ code: 'conflict', message: expect.stringContaining(scheduled.workflowId) as string });
    } finally {
      await scheduled.terminate();
      await client.workflow
        .getHandle(workflowId)
        .terminate()
        .catch(() => undefined);
    }
  });

  it('copies the rows of one moment where the database allows no replication, and brings them back elsewhere', async () => {
    const { databaseUrl } = world.running.server;
    await world.running.query(AWKWARD_ROWS);
    const near = target('managed');
    const managed = await withoutReplication(databaseUrl);
    const logical: string[] = [];
    const deps = depsFor({ near }, { databaseUrl: managed, onLogical: (id, why) => logical.push(id, why) });
    const result = await backUpNow(withFailures(createBackupActivities(deps)));
    expect(result).toMatchObject({ setKind: 'logical', targets: [{ verified: true }] });
    expect(logical).toEqual([result.setId, expect.stringMatching(/replication/i)]);
    const [set] = await near.sets();
    expect(set).toMatchObject({ setKind: 'logical', rowCounts: { 'public.models': 1, 'public.predictions': 3 } });
    // What others keep in the same database is not the platform's.
    expect(Object.keys(set?.rowCounts ?? {}).sort()).toEqual(platformTables().map((table) => `public.${table}`));
    const atMs = Date.parse(set?.finishedAt ?? '');
    const wish = { kind: 'moment', atMs: atMs + 1_000 } as const;
    await expect(previewRestore({ target: near, wish })).rejects.toMatchObject({
      problems: [{ allowed: [`${set?.finishedAt ?? ''} (this moment only)`, 'latest'] }],
    });
    expect((await previewRestore({ target: near, wish: { kind: 'moment', atMs } })).plan.setId).toBe(set?.setId);
    const before = await digestsOf(databaseUrl);

    await world.running.stop();
    remove(world.running.home);
    const home = join(world.folder, 'after');
    const common = { target: near, home, artefactDir: join(home, 'artefacts'), epochAbove: 0, by: 'test' };
    await mkdir(home);
    const report = await stageRestore({ ...common, wish: { kind: 'latest' }, restoreId: 'logical' });
    expect(report).toMatchObject({ setKind: 'logical', epoch: { epoch: 2, models: ['tiny'] } });
    expect(report.checks.golden).toMatchObject([{ model: 'tiny', version: 1 }]);
    expect(placeRestored(home)).toBe(true);
    const restored = await startServer(home);
    try {
      expect(await digestsOf(restored.server.databaseUrl)).toEqual(before);
      expect(await restored.query('select generation from routing')).toEqual([{ generation: 2_000_000 }]);
      // Sequences go on after the last number, and the partitions of the days are there.
      expect(await restored.query(`select nextval('audit_log_id_seq')::int > max(id) as on from audit_log`)).toEqual([
        { on: true },
      ]);
      expect(await restored.query('select count(*)::int as n from predictions_default')).toEqual([{ n: 1 }]);
    } finally {
      await restored.stop();
    }
  });
});
