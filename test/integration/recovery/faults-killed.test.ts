import { fork, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { migrate } from '../../../db/migrate.ts';
import { isRunning } from '../../../infra/processes/identity.ts';
import { readPidFile } from '../../../infra/processes/pid-file.ts';
import { SEALING_KEY_FILE } from '../../../recovery/vault/stage-platform.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { WORKFLOWS } from '../../../workflows/messages.ts';
import { RESTORE_CONFIRMATION, RESTORE_WORKFLOWS } from '../../../workflows/restore-messages.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { waitFor } from '../../support/platform.ts';
import { query } from '../../support/query.ts';
import { backUpTo } from '../../support/vault-home.ts';
import { quiet } from '../../workflow/environment.ts';
import type { FaultWorkerOrder } from './fault-worker.ts';
import { createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import { remove } from './restore-world.ts';

/** In the order in which a backup passes them. */
const BACKUP_PHASES = ['open', 'database', 'upload', 'publish', 'verify', 'prune'];
/** Before these the manifest is not written: nothing may look like a set. */
const UNPUBLISHED = BACKUP_PHASES.slice(0, 4);
/** In the order in which a restore passes them. */
const RESTORE_PHASES = ['preview', 'fence', 'unpack', 'recover', 'artefacts', 'settle', 'takeOver'];
/** In these the dead leave a server behind, beside those of the drill. */
const SERVED = ['recover', 'artefacts', 'settle'];
/** What it does by itself, a second's patience with those that leave alone, and five times that. */
const LEFT_ALONE_MS = 20_000;
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

const homeOf = (phase: string): string => join(order.dir, phase, 'home');
const drillsOf = (phase: string): string => join(homeOf(phase), 'postgres', 'drills');
const registryOf = (phase: string): string => order.registries[phase] ?? '';

/** The server that is at work in this folder. */
function leftServer(scratchDir: string): { pid: number; identity: string; socketDir: string } {
  const record = readPidFile(join(scratchDir, 'run'), 'postgres');
  if (record === null) throw new Error(`no server is at work in ${scratchDir}`);
  const socketDir = readFileSync(join(scratchDir, 'socket-folder'), 'utf8');
  expect(existsSync(socketDir)).toBe(true);
  return { ...record, socketDir };
}

/** Every row once, one epoch later, and traffic where it was. */
async function expectRestored(phase: string): Promise<void> {
  const url = restored.get(phase) ?? '';
  expect(
    await query(url, 'select body, count(*)::int as n, max(id)::int as last from notes group by 1'),
    phase,
  ).toEqual([{ body: 'first', n: 100, last: 100 }]);
  expect(await query(url, 'select epoch, state from platform_epoch'), phase).toEqual([{ epoch: 2, state: 'active' }]);
  expect(await query(url, 'select generation, routes, rollout_id from routing'), phase).toEqual([
    { generation: 2_000_000, routes: [{ variant: 'champion', version: 1, weightPercent: 100 }], rollout_id: null },
  ]);
  const begun = `select count(*)::int as n from audit_log where action = 'epoch.begin'`;
  expect(await query(url, begun), phase).toEqual([{ n: 1 }]);
  expect(readFileSync(join(homeOf(phase), 'sealing.key'), 'utf8'), phase).toBe('of webhooks');
  // The platform that was there before refused control writes to its end, and was not fenced twice.
  expect(await query(registryOf(phase), 'select epoch, state from platform_epoch'), phase).toEqual([
    { epoch: 1, state: 'fenced' },
  ]);
  const fenced = `select count(*)::int as n from audit_log where action = 'epoch.fence'`;
  expect(await query(registryOf(phase), fenced), phase).toEqual([{ n: 1 }]);
  const folders = readdirSync(join(homeOf(phase), 'postgres')).filter((name) => !name.startsWith('data'));
  expect(folders, phase).not.toContain('restore-scratch');
  const data = readdirSync(join(homeOf(phase), 'postgres')).filter((name) => name.startsWith('data'));
  expect(data, phase).toEqual(['data']);
}

describe('a worker that is killed', () => {
  beforeAll(async () => {
    quiet();
    world = await createPlatformWorld();
    const { databaseUrl } = world.running.server;
    await backUpTo(world, databaseUrl, world.artefactDir, { [SEALING_KEY_FILE]: 'of webhooks' });
    const dir = join(world.folder, 'faults');
    mkdirSync(join(dir, 'logs'), { recursive: true });
    writeFileSync(join(dir, 'key.txt'), `${world.keys.identities[0] ?? ''}\n`);
    writeFileSync(join(dir, 'bundle.js'), await bundleWorkflows(new DefaultLogger('ERROR')));
    registries = await Promise.all(
      [...RESTORE_PHASES, 'drill'].map(async (phase) => {
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
      databaseUrl,
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
      const drill = await start(RESTORE_WORKFLOWS.drill, [{}])('drill');
      const wanted = [...BACKUP_PHASES, ...RESTORE_PHASES, 'drill'];
      await waitFor(
        () => first.at.size === wanted.length,
        90_000,
        () => `all phases; not yet: ${wanted.filter((phase) => !first.at.has(phase)).join(', ')}`,
      );
      const left = SERVED.map((phase) => leftServer(join(homeOf(phase), 'postgres', 'restore-scratch')));
      const [drillId = ''] = readdirSync(drillsOf('drill'));
      left.push(leftServer(join(drillsOf('drill'), drillId, 'scratch')));
      for (const { pid, identity } of left) expect(isRunning(pid, identity)).toBe(true);
      await end(first.child, (child) => child.kill('SIGKILL'));
      // Nobody has begun anew yet: what ends here, ends by itself.
      await waitFor(() => left.every((one) => !isRunning(one.pid, one.identity)), LEFT_ALONE_MS, 'the servers left');
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
      for (const phase of RESTORE_PHASES) await expectRestored(phase);
      expect(await drill.result()).toMatchObject({ passed: true, drillId });
      expect(readdirSync(drillsOf('drill'))).toEqual([]);
      expect(await query(registryOf('drill'), 'select id, outcome from recovery_drills')).toEqual([
        { id: drillId, outcome: 'passed' },
      ]);
      for (const { socketDir } of left) expect(existsSync(socketDir), socketDir).toBe(false);
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
