/** A real database server of its own, a target in memory, and restores from it: what the recovery tests stand on. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../../domain/errors.ts';
import { startPostgres, type EmbeddedPostgres } from '../../../infra/embedded/postgres.ts';
import { takeBaseBackup } from '../../../recovery/postgres/base-backup.ts';
import { SEGMENT_BYTES } from '../../../recovery/postgres/lsn.ts';
import { createObjectWalStore, type WalCodec } from '../../../recovery/postgres/object-wal-store.ts';
import { createWalShipper, type WalShipper } from '../../../recovery/postgres/ship-wal.ts';
import {
  planRestore,
  type PlannedSet,
  type RestoreSources,
  type RestoreWish,
} from '../../../recovery/restore/plan-restore.ts';
import { restoreDatabase, type RestoredDatabase } from '../../../recovery/restore/restore-database.ts';
import type { SetSource } from '../../../recovery/vault/set-sink.ts';
import { waitFor } from '../../support/platform.ts';
import { query } from '../../support/query.ts';

const QUIET_LOG = { info: () => undefined, warn: () => undefined, error: () => undefined };
const SLOT = 'sluice_test';
const PLAIN: WalCodec = {
  suffix: '',
  seal: (_, bytes) => Promise.resolve(bytes),
  open: (_, bytes) => Promise.resolve(bytes),
};

export interface MemoryObjects extends ObjectStore {
  readonly content: Map<string, Buffer>;
  /** Fails every write while set. */
  down: boolean;
}

export function createMemoryObjects(): MemoryObjects {
  const content = new Map<string, Buffer>();
  const store: MemoryObjects = {
    address: 'memory://target',
    features: { conditionalPut: true, objectLock: false },
    content,
    down: false,
    async put(key, source, options) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of source) chunks.push(chunk);
      if (store.down) throw new DomainError('unavailable', 'the target is down');
      if (options?.ifNoneMatch === '*' && content.has(key)) throw new DomainError('conflict', `${key} is taken`);
      const bytes = Buffer.concat(chunks);
      content.set(key, bytes);
      return { key, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
    },
    get(key) {
      const found = content.get(key);
      if (found === undefined) return Promise.reject(new DomainError('notFound', `no ${key}`));
      return Promise.resolve({ bytes: found.byteLength, content: once(found) });
    },
    head: (key) =>
      Promise.resolve(content.has(key) ? { key, bytes: content.get(key)?.byteLength ?? 0, modifiedAtMs: 0 } : null),
    list: (prefix) => listed(content, prefix),
    delete(key) {
      content.delete(key);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
  return store;
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

// eslint-disable-next-line @typescript-eslint/require-await
async function* listed(content: ReadonlyMap<string, Buffer>, prefix: string) {
  for (const key of [...content.keys()].filter((k) => k.startsWith(prefix)).sort()) {
    yield { key, bytes: content.get(key)?.byteLength ?? 0, modifiedAtMs: 0 };
  }
}

/** A folder that PostgreSQL's user can reach. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-recovery-'));
  chmodSync(folder, 0o755);
  return folder;
}

export interface TakenSet extends PlannedSet {
  readonly systemId: string;
  readonly source: SetSource;
}

export async function takeSet(databaseUrl: string, setId: string): Promise<TakenSet> {
  const files = new Map<string, Buffer>();
  const backup = await takeBaseBackup({ databaseUrl, label: setId }, async ({ name, stream }) => {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    files.set(`postgres/${name}`, Buffer.concat(chunks));
  });
  const { systemId, timeline, startLsn, stopLsn } = backup;
  return { setId, systemId, timeline, startLsn, stopLsn, finishedAtMs: Date.now(), source: sourceOf(files) };
}

function sourceOf(files: ReadonlyMap<string, Buffer>): SetSource {
  return {
    files: [...files].map(([name, bytes]) => ({
      name,
      bytes: bytes.byteLength,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      storedBytes: bytes.byteLength,
      storedSha256: '',
    })),
    open: (name) => Promise.resolve(once(files.get(name) ?? Buffer.alloc(0))),
    signal: new AbortController().signal,
  };
}

export interface RunningServer {
  readonly server: EmbeddedPostgres;
  readonly home: string;
  query<T extends Record<string, unknown> = Record<string, unknown>>(text: string): Promise<readonly T[]>;
  stop(): Promise<void>;
}

export async function startServer(home = temporaryFolder()): Promise<RunningServer> {
  const server = await startPostgres({ home, keeper: null, port: 0 });
  return {
    server,
    home,
    query: (text) => query(server.databaseUrl, text),
    stop: async () => {
      await server.process.stop();
    },
  };
}

export interface Shipping {
  readonly shipper: WalShipper;
  stop(): Promise<void>;
}

export function startShipping(
  databaseUrl: string,
  objects: ObjectStore,
  codec: WalCodec = PLAIN,
  everyMs = 100,
): Shipping {
  const halt = new AbortController();
  const shipper = createWalShipper({
    databaseUrl,
    slot: SLOT,
    openStore: (systemId) => createObjectWalStore(objects, systemId, codec),
    log: QUIET_LOG,
    everyMs,
  });
  const running = shipper.run(halt.signal);
  return {
    shipper,
    stop: async () => {
      halt.abort();
      await running;
    },
  };
}

/** Waits until the target has everything that the server has now. */
export async function untilShipped({ server }: RunningServer, { shipper }: Shipping): Promise<void> {
  const [row] = await query<{ lsn: string }>(server.databaseUrl, 'select pg_current_wal_flush_lsn()::text as lsn');
  const wanted = row?.lsn ?? '';
  await waitFor(
    async () => {
      const { shippedLsn } = shipper.status();
      if (shippedLsn === null) return false;
      const [compared] = await query<{ there: boolean }>(
        server.databaseUrl,
        `select '${shippedLsn}'::pg_lsn >= '${wanted}'::pg_lsn as there`,
      );
      return compared?.there;
    },
    20_000,
    () => `the log up to ${wanted}: ${JSON.stringify(shipper.status())}`,
    50,
  );
}

async function readSources(
  objects: ObjectStore,
  sets: readonly TakenSet[],
  codec: WalCodec = PLAIN,
): Promise<RestoreSources> {
  const store = createObjectWalStore(objects, sets[0]?.systemId ?? '', codec);
  const [pieces, histories, points] = await Promise.all([store.pieces(), store.histories(), store.points()]);
  return { sets, pieces, histories, points, segmentBytes: SEGMENT_BYTES };
}

export async function restore(
  objects: ObjectStore,
  sets: readonly TakenSet[],
  wish: RestoreWish,
  folder = temporaryFolder(),
  codec: WalCodec = PLAIN,
): Promise<RestoredDatabase & { folder: string }> {
  const sources = await readSources(objects, sets, codec);
  const plan = planRestore(sources, wish);
  const set = sets.find((s) => s.setId === plan.setId);
  if (set === undefined) throw new Error('the plan names a set that is not there');
  const restored = await restoreDatabase({
    plan,
    source: set.source,
    store: createObjectWalStore(objects, set.systemId, codec),
    histories: sources.histories,
    segmentBytes: sources.segmentBytes,
    dataDir: join(folder, 'data'),
    scratchDir: join(folder, 'scratch'),
  });
  return { ...restored, folder };
}

export function remove(...folders: string[]): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** Shrinks and grows like a disk; `null` where this user may mount nothing. */
export function mountSmallDisk(dir: string, size: string): { grow: (to: string) => void; unmount: () => void } | null {
  mkdirSync(dir, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return {
    grow: (to) => void execFileSync('mount', ['-o', `remount,size=${to}`, dir]),
    unmount: () => void execFileSync('umount', [dir]),
  };
}
