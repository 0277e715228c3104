/**
 * A worker in a process of its own, for tests that kill it: each workflow has a target, a staging folder and a home of its
 * own, and stops for good at the point that its id names. A worker that is not armed goes through.
 */
import { execFileSync } from 'node:child_process';
import { chownSync, constants, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Context } from '@temporalio/activity';
import { DefaultLogger, NativeConnection, Runtime, Worker } from '@temporalio/worker';
import { createBackupActivities } from '../../../activities/backup-activities.ts';
import { withFailures } from '../../../activities/failures.ts';
import { createRestoreActivities } from '../../../activities/restore-activities.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { createDatabase } from '../../../db/connect.ts';
import { createRecoveryStore } from '../../../db/recovery-store.ts';
import { ARTEFACTS_PREFIX } from '../../../domain/recovery/layout.ts';
import { DEFAULT_RETENTION } from '../../../domain/recovery/retention.ts';
import { postgresBase } from '../../../infra/embedded/postgres-cluster.ts';
import { startPostgres } from '../../../infra/embedded/postgres.ts';
import { placeRestored } from '../../../recovery/restore/restore-platform.ts';
import { loadVaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';

export interface FaultWorkerOrder {
  readonly address: string;
  readonly taskQueue: string;
  readonly bundle: string;
  /** Below it each workflow has a folder with its id's name; `target` of those that restore is `shared`. */
  readonly dir: string;
  readonly shared: string;
  readonly databaseUrl: string;
  readonly artefactDir: string;
  /** Of the platforms that are restored, by workflow. */
  readonly registries: Readonly<Record<string, string>>;
  readonly recipient: string;
  readonly signingKey: string;
  readonly armed: boolean;
}

const held: unknown[] = [];
const servers: (() => Promise<unknown>)[] = [];

type Gate = (phase: string) => Promise<void>;

/** The phase that the workflow of this activity dies in: its id without what makes it unique. */
const phaseHere = (): string => Context.current().info.workflowExecution?.workflowId.split('.')[0] ?? '';

/** Says where it is, and stays there. */
function createGate(armed: boolean): Gate {
  return async (phase) => {
    if (!armed || phaseHere() !== phase) return;
    process.send?.({ at: phase });
    // Kept, so that nothing that it waits with is tidied up by the collector.
    await new Promise((resolve) => held.push(resolve));
  };
}

async function* stopping(content: AsyncIterable<Uint8Array>, stop: () => Promise<void>): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    yield chunk.subarray(0, 1000);
    await stop();
    yield chunk.subarray(1000);
  }
}

/**
 * Lets a restored server get as far as the end of its log, and no further: there it asks for the history of the timeline
 * that it would begin, and reads a pipe into which nothing is written.
 */
async function holdRecovery(walDir: string, gate: Gate): Promise<void> {
  const pipe = join(walDir, '00000002.history');
  execFileSync('mkfifo', [pipe]);
  const { uid, gid } = statSync(walDir);
  chownSync(pipe, uid, gid);
  for (let fd: number | null = null; fd === null;) {
    await sleep(20);
    try {
      // Possible only while the server reads; kept open, or it would go on.
      fd = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
      held.push(fd);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
  }
  await gate('recover');
}

/** A store in which the points of a backup can be told apart by their keys. */
function watched(store: ObjectStore, gate: Gate, onArchive: () => void): ObjectStore {
  return {
    ...store,
    put: async (key, content, options) => {
      if (key.endsWith('manifest.json')) await gate('publish');
      if (key.startsWith('probes/')) await gate('open');
      return store.put(key, key.includes('base.tar') ? stopping(content, () => gate('upload')) : content, options);
    },
    get: async (key, options) => {
      const found = await store.get(key, options);
      if (key.includes('sealing.key')) await gate('settle');
      if (key.includes('base.tar')) {
        onArchive();
        return { ...found, content: stopping(found.content, async () => (await gate('verify'), gate('unpack'))) };
      }
      return key.startsWith(ARTEFACTS_PREFIX)
        ? { ...found, content: stopping(found.content, async () => (await gate('artefacts'), gate('drill'))) }
        : found;
    },
    list: (prefix, options) => gated(prefix === ARTEFACTS_PREFIX ? () => gate('prune') : null, store, prefix, options),
  };
}

async function* gated(
  stop: (() => Promise<void>) | null,
  store: ObjectStore,
  ...what: Parameters<ObjectStore['list']>
): AsyncGenerator<{ key: string; bytes: number; modifiedAtMs: number }> {
  await stop?.();
  yield* store.list(...what);
}

async function run(order: FaultWorkerOrder): Promise<void> {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const { dir, armed } = order;
  const gate = createGate(armed);
  const keys = await loadVaultKeys({
    recipients: [order.recipient],
    identityFile: join(dir, 'key.txt'),
    signingKeyFile: order.signingKey,
    trustedSigners: [],
  });
  const vaultOf = (folder: string, onArchive: () => void = () => undefined) =>
    createVaultTarget(watched(createFolderStore(folder), gate, onArchive), keys);
  const artefacts = createFolderArtefactStore(order.artefactDir);
  const backupOf = (phase: string) =>
    createBackupActivities({
      databaseUrl: order.databaseUrl,
      artefacts: { ...artefacts, read: async (digest) => (await gate('database'), artefacts.read(digest)) },
      stagingDir: join(dir, phase, 'staging'),
      logDir: join(dir, 'logs'),
      sealingKeyPath: null,
      retention: DEFAULT_RETENTION,
      softwareVersion: '0',
      settings: {},
      keys: () => Promise.resolve(keys),
      targets: () => {
        const target = { kind: 'folder', name: 'near', dir, lockDays: null } as const;
        return Promise.resolve(new Map([['near', { target, vault: vaultOf(join(dir, phase, 'target')) }]]));
      },
      temporalFacts: () => Promise.resolve({ namespace: 'default', schedules: [], running: [] }),
      nowMs: Date.now,
      requireLease: () => Promise.resolve(),
      onVerified: () => undefined,
    });
  const restoreOf = (phase: string) => {
    const home = join(dir, phase, 'home');
    mkdirSync(home, { recursive: true });
    const scratchWal = join(postgresBase(home).base, 'restore-scratch', 'wal');
    let recovery = createRecoveryStore(createDatabase(order.registries[phase] ?? ''));
    return createRestoreActivities({
      home,
      artefactDir: join(home, 'artefacts'),
      recovery: {
        ...recovery,
        epoch: () => recovery.epoch(),
        // The fence is there, and nobody was told.
        fence: async (...fence) => {
          await recovery.fence(...fence);
          await gate('fence');
        },
      },
      requireLease: () => Promise.resolve(),
      openTarget: async () => {
        await gate('preview');
        return vaultOf(order.shared, () => {
          if (armed && phase === 'recover') void holdRecovery(scratchWal, gate);
        });
      },
      // As the supervisor does: what is staged takes its place, and the database starts again.
      stopDatabase: async () => {
        await gate('takeOver');
        placeRestored(home);
        const { databaseUrl, process: server } = await startPostgres({ home, keeper: null, port: 0 });
        recovery = createRecoveryStore(createDatabase(databaseUrl));
        process.send?.({ restored: phase, databaseUrl });
        servers.push(() => server.stop());
      },
      terminateWriters: () => Promise.resolve([]),
      recreateSchedules: () => Promise.resolve([]),
    });
  };
  await serve(order, { backupOf, restoreOf });
}

/** One worker for all workflows: each activity is done by the parts of its own. */
async function serve(
  { address, taskQueue, bundle }: FaultWorkerOrder,
  of: Readonly<Record<'backupOf' | 'restoreOf', (phase: string) => object>>,
): Promise<void> {
  const made = new Map<string, Record<string, (input: never) => Promise<unknown>>>();
  const parts = (phase: string) => {
    const own = made.get(phase) ?? { ...of.backupOf(phase), ...of.restoreOf(phase) };
    made.set(phase, own);
    return own;
  };
  const names = Object.keys({ ...of.backupOf('none'), ...of.restoreOf('none') });
  const activities = Object.fromEntries(
    names.map((name) => [name, (input: never) => parts(phaseHere())[name]?.(input)]),
  );
  const connection = await NativeConnection.connect({ address });
  const worker = await Worker.create({
    connection,
    taskQueue,
    workflowBundle: { code: readFileSync(bundle, 'utf8') },
    activities: withFailures(activities as never),
  });
  process.on('disconnect', () => {
    void Promise.allSettled(servers.map((stop) => stop())).then(() => process.exit(0));
  });
  process.send?.({ ready: true });
  await worker.run();
}

process.once('message', (order) => {
  run(order as FaultWorkerOrder).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
