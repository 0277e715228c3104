import { chownSync, writeFileSync } from 'node:fs';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import { formatLsn, historyName, segmentName, segmentStart, type Lsn } from '../postgres/lsn.ts';
import type { WalPiece, WalStore } from '../postgres/wal-store.ts';
import type { FileOwner } from './unpack-backup.ts';

/** Objects fetched side by side; each is a segment at most. */
const FETCHES_MAX = 4;

/** Page headers of PostgreSQL's log: the first page of a segment has the long one. */
const PAGE_BYTES = 8_192n;
const LONG_HEADER_BYTES = 40n;
const SHORT_HEADER_BYTES = 24n;

export interface FetchedWal {
  readonly dir: string;
  readonly segments: number;
  readonly bytes: number;
}

/**
 * Puts the pieces of a plan together to segment files, and every timeline's history beside them: recovery chooses a
 * new timeline by the numbers that it finds taken.
 * @throws DomainError `artefactCorrupt` naming the piece that cannot be read, instead of ending the log there
 */
export async function fetchWal(options: {
  readonly store: WalStore;
  readonly pieces: readonly WalPiece[];
  readonly histories: ReadonlyMap<number, string>;
  readonly dir: string;
  readonly segmentBytes: number;
  readonly owner: FileOwner | null;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}): Promise<FetchedWal> {
  const { store, pieces, histories, dir, segmentBytes, owner } = options;
  await mkdir(dir, { recursive: true, mode: 0o700 });
  if (owner !== null) chownSync(dir, owner.uid, owner.gid);
  const give = (path: string): void => {
    if (owner !== null) chownSync(path, owner.uid, owner.gid);
  };
  for (const [timeline, text] of histories) {
    const path = join(dir, historyName(timeline));
    writeFileSync(path, text, { mode: 0o600 });
    give(path);
  }
  const names = new Set<string>();
  let bytes = 0;
  const waiting = [...pieces];
  const fetchNext = async (): Promise<void> => {
    for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) {
      options.signal?.throwIfAborted();
      const content = await readPiece(store, piece);
      const path = join(dir, segmentName(piece.timeline, piece.start, segmentBytes));
      await writeAt(path, content, Number(piece.start - segmentStart(piece.start, segmentBytes)), segmentBytes);
      give(path);
      names.add(path);
      bytes += content.byteLength;
      options.onBytes?.(content.byteLength);
    }
  };
  await Promise.all(Array.from({ length: FETCHES_MAX }, fetchNext));
  return { dir, segments: names.size, bytes };
}

async function readPiece(store: WalStore, piece: WalPiece): Promise<Uint8Array> {
  const what = `the log from ${formatLsn(piece.start)} to ${formatLsn(piece.end)} (timeline ${String(piece.timeline)})`;
  let content: Uint8Array;
  try {
    content = await store.read(piece);
  } catch (error) {
    if (!(error instanceof DomainError) || error.code === 'unavailable') throw error;
    throw new DomainError(error.code, `Nothing is restored: ${what} cannot be read: ${error.message}`, error.problems);
  }
  if (BigInt(content.byteLength) === piece.end - piece.start) return content;
  throw new DomainError('artefactCorrupt', `Nothing is restored: ${what} has ${String(content.byteLength)} bytes`);
}

/** Files always have the size of a segment; what is not there yet is zeros, as in a server's own folder. */
async function writeAt(path: string, content: Uint8Array, offset: number, segmentBytes: number): Promise<void> {
  const file = await open(path, 'a+', 0o600).then(async (created) => {
    await created.truncate(segmentBytes);
    await created.close();
    return open(path, 'r+');
  });
  try {
    await file.write(content, 0, content.byteLength, offset);
  } finally {
    await file.close();
  }
}

/**
 * Whether a whole record lies between where recovery stopped and where the fetched log ends: then it stopped at
 * something that it could not read, and did not say so. A record cut off by the end of the log is none.
 */
export async function isRecordLeft(
  wal: Pick<FetchedWal, 'dir'>,
  at: { readonly timeline: number; readonly reached: Lsn; readonly endLsn: Lsn; readonly segmentBytes: number },
): Promise<boolean> {
  const { timeline, reached, endLsn, segmentBytes } = at;
  if (reached >= endLsn) return false;
  const start = segmentStart(reached, segmentBytes);
  let position = reached;
  if (position % PAGE_BYTES === 0n) position += position === start ? LONG_HEADER_BYTES : SHORT_HEADER_BYTES;
  if (position + 4n > endLsn) return false;
  const name = join(wal.dir, segmentName(timeline, reached, segmentBytes));
  const segment = await readFile(name).catch(() => null);
  if (segment === null) return false;
  const rest = segment.subarray(
    Number(position - start),
    Number(minimum(endLsn, start + BigInt(segmentBytes)) - start),
  );
  const length = rest.readUInt32LE(0);
  if (length === 0) return rest.some((byte) => byte !== 0);
  if (length < RECORD_HEADER_BYTES || !isPlausible(rest, position)) return true;
  const pages = ((position % PAGE_BYTES) + BigInt(length)) / PAGE_BYTES;
  if (position + BigInt(length) + pages * LONG_HEADER_BYTES <= endLsn) return true;
  return !goesOn(rest, position, length);
}

const RECORD_HEADER_BYTES = 24;
/** PostgreSQL writes no larger record. */
const RECORD_BYTES_MAX = 1024n * 1024n * 1024n;

const minimum = (a: Lsn, b: Lsn): Lsn => (a < b ? a : b);

/** A record's header names the start of the record before it: damage does not get that right. */
function isPlausible(rest: Buffer, position: Lsn): boolean {
  if (rest.byteLength < RECORD_HEADER_BYTES) return true;
  const previous = rest.readBigUInt64LE(8);
  return previous < position && position - previous <= RECORD_BYTES_MAX;
}

/** The page after a record that is cut off says that it goes on there, and how much of it is missing. */
function goesOn(rest: Buffer, position: Lsn, length: number): boolean {
  const toPage = Number(PAGE_BYTES - (position % PAGE_BYTES));
  if (rest.byteLength < toPage + Number(SHORT_HEADER_BYTES)) return true;
  const [flags, missing] = [rest.readUInt16LE(toPage + 2), rest.readUInt32LE(toPage + 16)];
  return (flags & 1) === 1 && missing === length - toPage;
}
