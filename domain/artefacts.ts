/** Lower-case hex SHA-256 of the content. */
export type Digest = string;

/**
 * Content-addressed store. A blob is complete or absent: it is written to the side, flushed and renamed; every read
 * checks the digest and throws `DomainError('artefactCorrupt')` when it does not fit. Writers store a blob before the
 * row that names it.
 */
export interface ArtefactStore {
  put(bytes: Uint8Array): Promise<Digest>;
  putFile(path: string): Promise<{ digest: Digest; bytes: number }>;
  read(digest: Digest): Promise<Uint8Array>;
  has(digest: Digest): Promise<boolean>;
  /** A verified local file with the content, for child processes. Must not be changed or removed by the caller. */
  localPath(digest: Digest): Promise<string>;
}
