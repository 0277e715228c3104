import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import { postgresUser } from '../../infra/embedded/postgres-user.ts';
import { historyName, segmentName, segmentStart, SEGMENT_BYTES, type Lsn } from '../postgres/lsn.ts';
import type { WalPiece, WalStore } from '../postgres/wal-store.ts';
import { isRecordLeft } from '../restore/fetch-wal.ts';
import { previewRestore } from '../restore/restore-and-check.ts';
import type { RestoreTarget } from '../restore/restore-target.ts';
import { compareFiles, parseServerManifest, unpackArchive } from '../restore/unpack-backup.ts';
import { makeStandby } from './standby-server.ts';

/** Of which set and server a copy is, and to where its log was fetched first. */
export interface CopyOrigin {
  readonly setId: string;
  readonly systemId: string;
  readonly timeline: number;
  /** End of the log when it was made. */
  readonly fetched: string;
}

/** Files of a database that grow with the log in a target. */
export interface WarmCopy {
  readonly origin: CopyOrigin;
  /** End of the log that lies in the folder without a gap. */
  fetchedLsn(): Lsn;
  /**
   * Fetches what is new, once. A `hole`: log after a gap is there, which does not close by itself. A `newer` timeline: the
   * server behind the log was restored, and the copy must be made anew.
   */
  fetch(): Promise<{
    readonly pieces: number;
    readonly hole: boolean;
    readonly newer: boolean;
    readonly newestAtMs: number | null;
  }>;
  /** Bytes at the end of the log that hold no whole record; `null`: a record is left which recovery did not read. */
  unread(replayed: Lsn): Promise<number | null>;
}

const ORIGIN_FILE = 'sluice-origin.json';
/** How often the log is listed for a new copy. */
const LISTED_MAX = 5;
const SERVER_MANIFEST_BYTES_MAX = 512 * 1024 * 1024;

/** Unpacks the newest set into a folder beside `dataDir`, which takes its place when it is whole. */
export async function seedCopy(target: RestoreTarget, dataDir: string, signal: AbortSignal): Promise<CopyOrigin> {
  const { plan: first, set, contents } = await previewRestore({ target, wish: { kind: 'latest' } });
  const draft = `${dataDir}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  chmodSync(draft, 0o700);
  const owner = postgresUser();
  if (owner !== null) chownSync(draft, owner.uid, owner.gid);
  const source = await target.open(set);
  const expected = parseServerManifest(await readText(await source.open('postgres/backup_manifest')));
  const found = await unpackArchive(await source.open('postgres/base.tar'), draft, owner, () =>
    signal.throwIfAborted(),
  );
  compareFiles(expected, found);
  const plan = await fetchPlanned(target, { set, plan: first, contents }, createLogFolder(draft), signal);
  makeStandby(draft);
  const { setId } = set;
  const origin = { setId, systemId: contents.systemId, timeline: plan.timeline, fetched: plan.endLsn.toString() };
  writeFileSync(join(draft, ORIGIN_FILE), JSON.stringify(origin), { flush: true });
  rmSync(dataDir, { recursive: true, force: true });
  renameSync(draft, dataDir);
  return origin;
}

type Preview = Awaited<ReturnType<typeof previewRestore>>;

/**
 * Pieces of the newest segment are replaced by longer ones while it is written, and unpacking takes its time: where one
 * of them is gone, what is there now is listed anew.
 */
async function fetchPlanned(
  target: RestoreTarget,
  { set, plan: first, contents: seen }: Pick<Preview, 'set' | 'plan' | 'contents'>,
  inLog: ReturnType<typeof createLogFolder>,
  signal: AbortSignal,
): Promise<Preview['plan']> {
  let [plan, contents] = [first, seen];
  for (let listed = 1; ; listed++) {
    for (const [timeline, text] of contents.sources.histories)
      await inLog.put(historyName(timeline), Buffer.from(text), 0, null);
    try {
      for (const piece of plan.pieces) {
        signal.throwIfAborted();
        await inLog.putPiece(piece, await contents.store.read(piece));
      }
      return plan;
    } catch (error) {
      const gone = error instanceof DomainError && error.code === 'notFound';
      if (!gone || listed === LISTED_MAX) throw error;
      const next = await previewRestore({ target, wish: { kind: 'latest' } });
      if (next.set.setId !== set.setId) throw error;
      [plan, contents] = [next.plan, next.contents];
    }
  }
}

/** @throws DomainError `artefactCorrupt` when the folder is no copy */
export function readOrigin(dataDir: string): CopyOrigin {
  const file = join(dataDir, ORIGIN_FILE);
  if (!existsSync(file)) throw new DomainError('artefactCorrupt', `${dataDir} is no copy of a database`);
  return JSON.parse(readFileSync(file, 'utf8')) as CopyOrigin;
}

/** Goes on with a copy. `replayed`: from where on log may be missing; `null`: the copy was promoted. */
export function openCopy(dataDir: string, origin: CopyOrigin, store: WalStore, replayed: Lsn | null): WarmCopy {
  const log = createLogFolder(dataDir);
  const { timeline } = origin;
  // What was written last may have been lost with the machine: the segment under replay is fetched again.
  let next = replayed === null ? BigInt(origin.fetched) : segmentStart(replayed);
  return {
    origin,
    fetchedLsn: () => next,
    async fetch() {
      const from = { timeline, start: segmentStart(next) };
      const pieces = await store.pieces(from);
      const newer = pieces.some((piece) => piece.timeline > timeline);
      const own = pieces.filter((piece) => piece.timeline === timeline);
      let count = 0;
      for (let piece = longest(own, next); piece !== null; piece = longest(own, next)) {
        await log.putPiece(piece, await store.read(piece));
        next = piece.end;
        count += 1;
      }
      const newestAtMs = own.reduce<number | null>((max, { atMs }) => Math.max(max ?? 0, atMs), null);
      return { pieces: count, hole: own.some((piece) => piece.start > next), newer, newestAtMs };
    },
    async unread(reached) {
      if (reached >= next) return 0;
      const dir = join(dataDir, 'pg_wal');
      const left = await isRecordLeft({ dir }, { timeline, reached, endLsn: next, segmentBytes: SEGMENT_BYTES });
      return left ? null : Number(next - reached);
    },
  };
}

function longest(pieces: readonly WalPiece[], from: Lsn): WalPiece | null {
  return pieces
    .filter((piece) => piece.start <= from && piece.end > from)
    .reduce<WalPiece | null>((best, piece) => (best === null || piece.end > best.end ? piece : best), null);
}

function createLogFolder(dataDir: string) {
  const owner = postgresUser();
  const put = async (name: string, content: Uint8Array, offset: number, size: number | null): Promise<void> => {
    const path = join(dataDir, 'pg_wal', name);
    const file = await open(path, existsSync(path) ? 'r+' : 'wx+', 0o600);
    try {
      // Files of the log always have the size of a segment; what is not there yet is zeros.
      if (size !== null) await file.truncate(size);
      if (owner !== null) await file.chown(owner.uid, owner.gid);
      await file.write(content, 0, content.byteLength, offset);
      await file.sync();
    } finally {
      await file.close();
    }
  };
  return {
    put,
    async putPiece(piece: WalPiece, content: Uint8Array): Promise<void> {
      if (BigInt(content.byteLength) !== piece.end - piece.start)
        throw new DomainError(
          'artefactCorrupt',
          `A piece of the log has ${content.byteLength} bytes, not what it says`,
        );
      const offset = Number(piece.start - segmentStart(piece.start));
      await put(segmentName(piece.timeline, piece.start), content, offset, SEGMENT_BYTES);
    },
  };
}

async function readText(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > SERVER_MANIFEST_BYTES_MAX) throw new DomainError('artefactCorrupt', 'backup_manifest is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
