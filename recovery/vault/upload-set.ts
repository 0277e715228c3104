import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../domain/errors.ts';
import { manifestKey, setFileKey } from '../../domain/recovery/layout.ts';
import type { BackupManifest, SetFile } from '../../domain/recovery/manifest.ts';
import { collect, once } from './file-content.ts';
import { MANIFEST_BYTES_MAX, signManifest, type Signer } from './sign-manifest.ts';
import type { StagedSet } from './stage-set.ts';

export interface UploadOptions {
  readonly signal: AbortSignal;
  /** Until when the store is asked to lock what is written; default: no lock. */
  readonly lockUntil?: Date | undefined;
  readonly onProgress: (storedBytes: number) => void;
}

/** Copies staged files into one target. Files that are there from an earlier attempt are passed over. */
export async function uploadSet(store: ObjectStore, staged: StagedSet, options: UploadOptions): Promise<void> {
  const { signal, lockUntil, onProgress } = options;
  let before = 0;
  for (const file of await staged.files()) {
    const key = setFileKey(staged.setId, file.name);
    if (!(await isThere(store, key, file, signal))) {
      await store.put(key, staged.read(file), {
        sha256: file.storedSha256,
        ifNoneMatch: '*',
        signal,
        onProgress: (bytes) => onProgress(before + bytes),
        lockUntil,
      });
    }
    before += file.storedBytes;
    onProgress(before);
  }
}

/** A write is complete or absent, so a key of the right length is the file; verification reads it in full. */
async function isThere(store: ObjectStore, key: string, file: SetFile, signal: AbortSignal): Promise<boolean> {
  const found = await store.head(key, { signal });
  if (found === null) return false;
  if (found.bytes === file.storedBytes) return true;
  throw new DomainError('conflict', `${key} in ${store.address} is there already with other content`);
}

/** Makes the set one: after everything it names is in the target. The same manifest again is a success. */
export async function publishManifest(
  store: ObjectStore,
  manifest: BackupManifest,
  signer: Signer,
  { signal, lockUntil }: Omit<UploadOptions, 'onProgress'>,
): Promise<void> {
  const bytes = signManifest(manifest, signer);
  const key = manifestKey(manifest.setId);
  try {
    await store.put(key, once(bytes), { ifNoneMatch: '*', signal, lockUntil });
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'conflict') throw error;
    // The answer to an earlier attempt was lost.
    const there = await collect((await store.get(key, { signal })).content, MANIFEST_BYTES_MAX, key);
    if (!there.equals(bytes)) throw error;
  }
}
