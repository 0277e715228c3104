import type { SetFile } from '../../domain/recovery/manifest.ts';

/**
 * Where a part of a backup (the database, definitions, logs) leaves its files. The vault compresses, encrypts and
 * stages each one; a name that is complete from an earlier attempt of the same set is handed back by `staged`.
 */
export interface SetSink {
  /**
   * Takes one file. `name` is unique in the set (`postgres/base.tar`); the content is read once, with back-pressure.
   * A file that fails or is aborted leaves nothing.
   */
  add(name: string, content: AsyncIterable<Uint8Array>): Promise<SetFile>;
  /** What an earlier attempt completed under the name; `null`: nothing. */
  staged(name: string): Promise<SetFile | null>;
  readonly signal: AbortSignal;
}

/** How a restore or a verification reads a set's files back: decrypted, unpacked and checked. */
export interface SetSource {
  readonly files: readonly SetFile[];
  /** The content before compression and encryption. Fails with `artefactCorrupt` at its end when it does not fit. */
  open(name: string): Promise<AsyncIterable<Uint8Array>>;
  readonly signal: AbortSignal;
}
