import { fork, type ChildProcess } from 'node:child_process';
import { mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { migrate } from '../../../db/migrate.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { WORKFLOWS } from '../../../workflows/messages.ts';
import { RESTORE_CONFIRMATION, RESTORE_WORKFLOWS } from '../../../workflows/restore-messages.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { waitFor } from '../../support/platform.ts';
import { query } from '../../support/query.ts';
import { quiet } from '../../workflow/environment.ts';
import type { FaultWorkerOrder } from './fault-worker.ts';
import { backUp, createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import { remove } from './restore-world.ts';

/** In the order in which a backup passes them. */
const BACKUP_PHASES = ['open', 'database', 'upload', 'publish', 'verify', 'prune'];
/** Before these the manifest is not written: nothing may look like a set. */
const UNPUBLISHED = BACKUP_PHASES.slice(0, 4);
const RESTORE_PHASES = ['unpack', 'artefacts', 'takeOver'];
/** Heartbeats of the dead are missed after 30 s at most. */
const RESUMED_WITHIN_MS = 150_000;
const HOUR_S = 3_600;

let world: PlatformWorld;
let client: Client;
let order: FaultWorkerOrder;
let registries: readonly (readonly [string, TestDatabase])[];
const children: ChildProcess[] = [];
const restored = new Map<string, string>();

async function startWorker(armed: boolean): Promise<{ child: ChildProcess; at: Set<string> }> {
  const child = fork(fileURLToPath(new URL('fault-worker.ts', import.meta.url)), [], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  children.push(child);
  const at = new Set<string>();
  let ready = false;
  child.on('message', (said: { at?: string; ready?: boolean; restored?: string; databaseUrl?: string }) => {
    ready ||= said.ready === true;
    if (said.at !== undefined) at.add(said.at);
    if (said.restored !== undefined) restored.set(said.restored, said.databaseUrl ?? '');
  });
  child.send({ ...order, armed });
  await waitFor(() => ready, 60_000, 'the worker');
  return { child, at };
}

const targetOf = (phase: string): VaultTarget =>
  createVaultTarget(createFolderStore(join(order.dir, phase, 'target')), { ...world.keys, trusted: 'any' });
const end = async (child: ChildProcess, how: (child: ChildProcess) => void): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  how(child);
  await gone;
};

describe('a worker that is killed', () => {
  beforeAll(async () => {
    quiet();
    world = await createPlatformWorld();
    await backUp(world, world.running, world.artefactDir);
    const dir = join(world.folder, 'faults');
    mkdirSync(join(dir, 'logs'), { recursive: true });
    writeFileSync(join(dir, 'key.txt'), `${world.keys.identities[0] ?? ''}\n`);
    writeFileSync(join(dir, 'bundle.js'), await bundleWorkflows(new DefaultLogger('ERROR')));
    registries = await Promise.all(
      RESTORE_PHASES.map(async (phase) => {
        const database = await createTestDatabase();
        await migrate(database.databaseUrl);
        return [phase, database] as const;
      }),
    );
    order = {
      address: inject('TEMPORAL_ADDRESS'),
      taskQueue: `faults-${randomUUID()}`,
      bundle: join(dir, 'bundle.js'),
      dir,
      shared: join(world.folder, 'target'),
      databaseUrl: world.running.server.databaseUrl,
      artefactDir: world.artefactDir,
      registries: Object.fromEntries(registries.map(([phase, { databaseUrl }]) => [phase, databaseUrl])),
      signingKey: join(world.folder, 'signing-key.pem'),
      recipient: world.keys.recipients[0] ?? '',
      armed: true,
    };
    client = new Client({ connection: await Connection.connect({ address: order.address }) });
  });
  afterAll(async () => {
    // It stops the databases that it started.
    await Promise.all(children.map((child) => end(child, (one) => one.disconnect())));
    await Promise.allSettled([client.connection.close(), world.running.stop()]);
    await Promise.allSettled(registries.map(([, database]) => database.drop()));
    remove(world.folder);
  });

  it(
    'in each phase of a backup and of a restore leaves nothing half-made that looks whole, and the next one ends the work',
    async () => {
      const { taskQueue } = order;
      const first = await startWorker(true);
      const start = (type: string, args: unknown[]) => (phase: string) =>
        client.workflow.start(type, { taskQueue, workflowId: `${phase}.${taskQueue}`, args });
      const backups = await Promise.all(BACKUP_PHASES.map(start(WORKFLOWS.backup, [{}])));
      const restores = await Promise.all(
        RESTORE_PHASES.map(start(RESTORE_WORKFLOWS.restore, [{ confirm: RESTORE_CONFIRMATION }])),
      );
      const wanted = [...BACKUP_PHASES, ...RESTORE_PHASES];
      await waitFor(
        () => first.at.size === wanted.length,
        90_000,
        () => `all phases; not yet: ${wanted.filter((phase) => !first.at.has(phase)).join(', ')}`,
      );
      await end(first.child, (child) => child.kill('SIGKILL'));
      for (const phase of UNPUBLISHED) expect(await targetOf(phase).find(), phase).toEqual([]);
      const [unproven] = await targetOf('verify').find();
      expect(unproven).toMatchObject({ problem: null, verifiedAt: null });

      await startWorker(false);
      await Promise.all([...backups, ...restores].map((handle) => handle.result()));
      for (const phase of BACKUP_PHASES) {
        const sets = await targetOf(phase).find();
        expect(sets, phase).toHaveLength(1);
        expect(sets[0]?.verifiedAt, phase).not.toBeNull();
        expect(readdirSync(join(order.dir, phase, 'staging')), phase).toEqual([]);
      }
      for (const phase of RESTORE_PHASES) {
        const url = restored.get(phase) ?? '';
        expect(await query(url, 'select count(*)::int as n from notes'), phase).toEqual([{ n: 100 }]);
        expect(await query(url, 'select epoch, state from platform_epoch'), phase).toEqual([
          { epoch: 2, state: 'active' },
        ]);
        // No server of the killed attempt is left, and no folder.
        expect(readdirSync(join(order.dir, phase, 'home', 'postgres')).sort(), phase).not.toContain('restore-scratch');
      }
    },
    RESUMED_WITHIN_MS + 120_000,
  );

  it('leaves the half of a file aside, where it is no object, and the next write a day later removes it', async () => {
    const { store } = targetOf('upload');
    const incoming = join(order.dir, 'upload', 'target', '.incoming');
    const left = readdirSync(incoming);
    expect(left).toHaveLength(1);
    for await (const { key } of store.list('')) expect(key).not.toContain('incoming');
    const old = Date.now() / 1000 - 25 * HOUR_S;
    utimesSync(join(incoming, left[0] ?? ''), old, old);
    await store.put(
      'probes/later',
      (async function* () {
        yield await Promise.resolve(Buffer.from('x'));
      })(),
    );
    expect(readdirSync(incoming)).toEqual([]);
  });
});
