import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { lockEnd } from '../../domain/recovery/lock.ts';
import { walPrefix } from '../../domain/recovery/layout.ts';
import type { Lsn } from './lsn.ts';
import type { RestorePoint, WalPiece, WalStore } from './wal-store.ts';

/** Compresses, encrypts and authenticates one object; the key is bound to it, so that objects cannot be exchanged. */
export interface WalCodec {
  /** Part of the key: readers find their codec by it. */
  readonly suffix: string;
  seal(key: string, bytes: Uint8Array): Promise<Uint8Array>;
  /** @throws DomainError `artefactCorrupt` when it was changed, `refused` when the key does not fit */
  open(key: string, bytes: Uint8Array): Promise<Uint8Array>;
}

export interface WalLock {
  /** Days that the store is asked to lock each object; `null`: no lock. Objects are written once, so each has one version. */
  readonly lockDays?: number | null;
  readonly nowMs?: () => number;
}

const PIECE = /^([0-9a-f]{8})\/([0-9a-f]{16})-([0-9a-f]{16})-(\d{13})(\.\w+)?$/;
const HISTORY = /^([0-9a-f]{8})\.history(\.\w+)?$/;
const POINT = /^points\/([0-9a-f]{8})-([0-9a-f]{16})-(\d{13})-([\w-]+)$/;
/** An object is a segment at most, and what sealing adds. */
const OBJECT_BYTES_MAX = 80 * 1024 * 1024;

/**
 * The log of one server in an object store. Everything that a restore must know to plan is in the keys: a listing
 * shows the restorable window without opening an object.
 */
export function createObjectWalStore(
  objects: ObjectStore,
  systemId: string,
  codec: WalCodec,
  { lockDays = null, nowMs = Date.now }: WalLock = {},
): WalStore {
  const prefix = walPrefix(systemId);
  /** A set needs the log that is written after it was begun: locked for as many days from then on, it outlasts the set. */
  const lock = () => ({ lockUntil: lockEnd(lockDays, nowMs()) });
  const put = async (key: string, bytes: Uint8Array): Promise<void> => {
    const sealed = await codec.seal(key, bytes);
    try {
      await objects.put(key, once(sealed), { ifNoneMatch: '*', ...lock() });
    } catch (error) {
      // A try before this one did succeed although its answer was lost: the content follows from the key.
      if (!(error instanceof DomainError && error.code === 'conflict')) throw error;
    }
  };
  const get = async (key: string): Promise<Uint8Array> => {
    const { content } = await objects.get(key);
    return codec.open(key, await collect(content, key));
  };
  const names = async function* (below = '', after?: string): AsyncGenerator<string> {
    const options = after === undefined ? {} : { after: prefix + after };
    for await (const { key } of objects.list(prefix + below, options)) yield key.slice(prefix.length);
  };
  return {
    put: (piece, bytes) => put(prefix + pieceName(piece) + codec.suffix, bytes),
    putHistory: (timeline, text) =>
      put(`${prefix}${hex(BigInt(timeline), 8)}.history${codec.suffix}`, new TextEncoder().encode(text)),
    putPoint: (point) => objects.put(prefix + pointName(point), once(new Uint8Array()), lock()).then(() => undefined),
    pieces: async (from) => {
      const pieces: WalPiece[] = [];
      const after = from === undefined ? undefined : `${hex(BigInt(from.timeline), 8)}/${hex(from.start, 16)}`;
      for await (const name of names('', after)) {
        const piece = parsePiece(name);
        if (piece !== null) pieces.push(piece);
      }
      return pieces.sort(inOrder);
    },
    histories: async () => {
      const found = new Map<number, string>();
      for await (const name of names()) {
        const match = HISTORY.exec(name);
        if (match === null) continue;
        found.set(Number.parseInt(match[1] ?? '', 16), new TextDecoder().decode(await get(prefix + name)));
      }
      return found;
    },
    points: async () => {
      const points: RestorePoint[] = [];
      for await (const name of names('points/')) {
        const point = parsePoint(name);
        if (point !== null) points.push(point);
      }
      return points;
    },
    read: (piece) => get(prefix + pieceName(piece) + codec.suffix),
    lockedUntilMs: async (piece) =>
      (await objects.head(prefix + pieceName(piece) + codec.suffix))?.lockedUntilMs ?? null,
    remove: (piece) => objects.delete(prefix + pieceName(piece) + codec.suffix),
  };
}

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');
const fromHex = (text: string | undefined): Lsn => BigInt(`0x${text ?? '0'}`);

function pieceName({ timeline, start, end, atMs }: WalPiece): string {
  return `${hex(BigInt(timeline), 8)}/${hex(start, 16)}-${hex(end, 16)}-${String(Math.round(atMs)).padStart(13, '0')}`;
}

function parsePiece(name: string): WalPiece | null {
  const match = PIECE.exec(name);
  if (match === null) return null;
  return {
    timeline: Number.parseInt(match[1] ?? '', 16),
    start: fromHex(match[2]),
    end: fromHex(match[3]),
    atMs: Number(match[4]),
  };
}

function pointName({ name, timeline, lsn, atMs }: RestorePoint): string {
  const text = Buffer.from(name, 'utf8').toString('base64url');
  return `points/${hex(BigInt(timeline), 8)}-${hex(lsn, 16)}-${String(Math.round(atMs)).padStart(13, '0')}-${text}`;
}

function parsePoint(key: string): RestorePoint | null {
  const match = POINT.exec(key);
  if (match === null) return null;
  return {
    timeline: Number.parseInt(match[1] ?? '', 16),
    lsn: fromHex(match[2]),
    atMs: Number(match[3]),
    name: Buffer.from(match[4] ?? '', 'base64url').toString('utf8'),
  };
}

function inOrder(a: WalPiece, b: WalPiece): number {
  if (a.timeline !== b.timeline) return a.timeline - b.timeline;
  if (a.start !== b.start) return a.start < b.start ? -1 : 1;
  return a.end === b.end ? 0 : a.end > b.end ? -1 : 1;
}

// eslint-disable-next-line @typescript-eslint/require-await -- a source that is there already
async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function collect(content: AsyncIterable<Uint8Array>, key: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    if (bytes > OBJECT_BYTES_MAX)
      throw new DomainError('artefactCorrupt', `${key} is larger than any piece of the log`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
