/**
 * The port to a place for backups: a folder, S3 and what speaks like it, Google Cloud Storage, Azure Blob. Keys are
 * `/`-separated, below the prefix the store was made with. All calls throw `DomainError`:
 * `invalidInput` (the target is described wrongly), `forbidden` (no permission), `notFound`, `conflict` (the key is
 * taken), `artefactCorrupt` (checksum), `unavailable` (unreachable, full, failing; after retries).
 */
import type { Digest } from '../../domain/artefacts.ts';

export interface ObjectStore {
  /** For messages and metrics; without secrets: `s3://bucket/prefix`, `file:///backups`. */
  readonly address: string;
  readonly features: ObjectStoreFeatures;
  /** Complete or absent: a failed or aborted write leaves nothing under the key. */
  put(key: string, content: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<StoredObject>;
  /** @throws DomainError `notFound` */
  get(key: string, options?: GetOptions): Promise<ObjectContent>;
  /** `null`: there is no such key. */
  head(key: string, options?: CallOptions): Promise<ObjectInfo | null>;
  /** Every key that begins with the prefix, in text order, page by page. */
  list(prefix: string, options?: ListOptions): AsyncIterable<ObjectInfo>;
  /** A key that is not there is no error. @throws DomainError `refused` while a lock holds it */
  delete(key: string, options?: CallOptions): Promise<void>;
  /**
   * Locks what is there until `until`, which is later than its lock now; stores refuse an earlier end. Absent where the
   * store has no locks, or none is asked of it.
   * @throws DomainError `notFound`; `forbidden` when the credentials may write but not lock
   */
  readonly extendLock?: (key: string, until: Date, options?: CallOptions) => Promise<void>;
  close(): Promise<void>;
}

export interface ObjectStoreFeatures {
  /** `If-None-Match: *` is kept by the store itself; else two writers may both pass (only the last one stays). */
  readonly conditionalPut: boolean;
  readonly objectLock: boolean;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
}

export interface PutOptions extends CallOptions {
  /** Fails with `conflict` when the key is taken. */
  readonly ifNoneMatch?: '*';
  /** Of the whole content; another one fails with `artefactCorrupt`, and nothing is stored. */
  readonly sha256?: Digest;
  /** Nobody, not even the owner of the credentials, can change it before; where the store has locks. */
  readonly lockUntil?: Date | undefined;
  /** Bytes taken up so far: for heartbeats. */
  readonly onProgress?: (bytes: number) => void;
}

export interface GetOptions extends CallOptions {
  /** First byte wanted; default 0. */
  readonly from?: number;
}

export interface ListOptions extends CallOptions {
  /** Keys after this one. */
  readonly after?: string;
}

export interface StoredObject {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: Digest;
}

export interface ObjectInfo {
  readonly key: string;
  readonly bytes: number;
  /** Epoch ms by the store's clock. */
  readonly modifiedAtMs: number;
  /**
   * Epoch ms until which the store keeps it whoever deletes it, `Infinity` for a legal hold; absent: no lock is known.
   * From `head`; a listing need not tell. Where objects have versions a locked one can still be hidden by a deletion.
   */
  readonly lockedUntilMs?: number;
}

/** The end of a lock, from what stores say of it in their own ways. */
export function lockOf(until: string | null | undefined, held: boolean): { readonly lockedUntilMs?: number } {
  if (held) return { lockedUntilMs: Number.POSITIVE_INFINITY };
  const lockedUntilMs = Date.parse(until ?? '');
  return Number.isNaN(lockedUntilMs) ? {} : { lockedUntilMs };
}

export interface ObjectContent {
  readonly bytes: number;
  /** Can be read once. */
  readonly content: AsyncIterable<Uint8Array>;
}
