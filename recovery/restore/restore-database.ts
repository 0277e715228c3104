import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import type { SetSource } from '../vault/set-sink.ts';
import { formatLsn } from '../postgres/lsn.ts';
import type { WalStore } from '../postgres/wal-store.ts';
import { postgresUser } from '../../infra/embedded/postgres-user.ts';
import { fetchWal, isRecordLeft } from './fetch-wal.ts';
import type { RestorePlan } from './plan-restore.ts';
import { recoverServer, type RecoveredServer } from './recover-server.ts';
import { compareFiles, parseServerManifest, unpackArchive } from './unpack-backup.ts';

/** Names of the database's files in a physical set. */
const DATABASE_FILES = { archive: 'postgres/base.tar', manifest: 'postgres/backup_manifest' } as const;
const SERVER_MANIFEST_BYTES_MAX = 512 * 1024 * 1024;

export type RestorePhase = 'log' | 'unpack' | 'recover';

export interface RestoreDatabaseOptions {
  readonly plan: RestorePlan;
  readonly source: SetSource;
  readonly store: WalStore;
  readonly histories: ReadonlyMap<number, string>;
  readonly segmentBytes: number;
  /** Empty or absent; becomes the database's folder. PostgreSQL's user must be able to reach it. */
  readonly dataDir: string;
  /** Absent or a leftover; removed by the caller. */
  readonly scratchDir: string;
  readonly databaseUser?: string;
  readonly database?: string;
  readonly onProgress?: (phase: RestorePhase, doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

export interface RestoredDatabase extends RecoveredServer {
  /** Bytes of log at the end that hold no whole record: nothing that was acknowledged. */
  readonly cutOffBytes: number;
}

/**
 * Puts a database back from a set and the log after it, and opens it for this machine's owner alone. Every file is
 * compared with the server's own list, every piece of the log is read before anything is replayed, and what recovery
 * reached is compared with what was shipped.
 * @throws DomainError `refused`, `artefactCorrupt` (naming what is wrong), `unavailable`
 */
export async function restoreDatabase(options: RestoreDatabaseOptions): Promise<RestoredDatabase> {
  const { plan, source, store, dataDir, scratchDir, segmentBytes } = options;
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new DomainError('refused', `${dataDir} is not empty: nothing is written over what is there`);
  const owner = postgresUser();
  for (const dir of [dataDir, scratchDir]) mkdirSync(dir, { recursive: true });
  chmodSync(dataDir, 0o700);
  chmodSync(scratchDir, 0o711);
  if (owner !== null) for (const dir of [dataDir, scratchDir]) chownSync(dir, owner.uid, owner.gid);
  let done = 0;
  const count = (phase: RestorePhase) => (bytes: number) => options.onProgress?.(phase, (done += bytes));
  // Log that cannot be read stops it before the long part.
  const walDir = join(scratchDir, 'wal');
  rmSync(walDir, { recursive: true, force: true });
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const wal = await fetchWal({
    store,
    pieces: plan.pieces,
    histories: options.histories,
    dir: walDir,
    segmentBytes,
    owner,
    onBytes: count('log'),
    ...signal,
  });
  const expected = parseServerManifest(await readText(source, DATABASE_FILES.manifest));
  done = 0;
  compareFiles(
    expected,
    await unpackArchive(await source.open(DATABASE_FILES.archive), dataDir, owner, count('unpack')),
  );
  options.onProgress?.('recover', 0);
  const server = await recoverServer({
    dataDir,
    walDir,
    scratchDir,
    plan,
    databaseUser: options.databaseUser ?? 'sluice',
    database: options.database ?? 'sluice',
    ...signal,
  });
  try {
    return { ...server, cutOffBytes: await compareEnd(options, wal.dir, server) };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

async function compareEnd(
  { plan, segmentBytes }: RestoreDatabaseOptions,
  dir: string,
  { reachedLsn, readTimeline, ranToEnd }: RecoveredServer,
): Promise<number> {
  const toEnd = plan.wish.kind === 'latest' || ranToEnd;
  if (!toEnd || reachedLsn >= plan.endLsn) return 0;
  const missing = plan.endLsn - reachedLsn;
  const at = { timeline: readTimeline, reached: reachedLsn, endLsn: plan.endLsn, segmentBytes };
  if (!(await isRecordLeft({ dir }, at))) return Number(missing);
  throw new DomainError(
    'artefactCorrupt',
    `Recovery stopped at ${formatLsn(reachedLsn)}, ${String(missing)} bytes before the end of the log that was ` +
      `shipped (${formatLsn(plan.endLsn)}): the log is damaged there`,
    [{ field: formatLsn(reachedLsn), message: 'no readable record, although the log goes on after it' }],
  );
}

async function readText(source: SetSource, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of await source.open(name)) {
    bytes += chunk.byteLength;
    if (bytes > SERVER_MANIFEST_BYTES_MAX) throw new DomainError('artefactCorrupt', `${name} is too large`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
