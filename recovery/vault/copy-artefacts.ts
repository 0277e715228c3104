import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import type { ArtefactStore, Digest } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import { artefactKey, ARTEFACTS_PREFIX } from '../../domain/recovery/layout.ts';
import type { ArtefactEntry } from '../../domain/recovery/manifest.ts';
import { availableCompression } from './compress.ts';
import { packed } from './file-content.ts';
import { newWrappedKey, recipientGroup } from './keys.ts';

/** Each is a stream of its own; two keep a line busy. */
const COPIES_MAX = 2;

export interface CopyArtefactsOptions {
  readonly store: ObjectStore;
  readonly artefacts: Pick<ArtefactStore, 'localPath'>;
  readonly digests: readonly Digest[];
  readonly recipients: readonly string[];
  readonly signal: AbortSignal;
  /** What is uploaded stays locked until then, where the store has locks. */
  readonly lockUntil?: Date | undefined;
  /** What is there already, from an earlier set, is locked for as long: a new set needs it as well. */
  readonly extendLocks?: boolean;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface CopiedArtefacts {
  readonly entries: readonly ArtefactEntry[];
  readonly group: string;
  readonly uploaded: number;
  /** Were there already and are locked for longer than before. */
  readonly extended: number;
}

/**
 * Copies what the target lacks, each under its digest and sealed with a key of its own, so that sets share them.
 * @throws DomainError `artefactCorrupt` or `notFound` when the platform's own copy is not what it must be
 */
export async function copyArtefacts(options: CopyArtefactsOptions): Promise<CopiedArtefacts> {
  const { store, artefacts, recipients, signal, onProgress } = options;
  const group = recipientGroup(recipients);
  const digests = [...new Set(options.digests)].sort();
  const there = new Set<string>();
  for await (const { key } of store.list(`${ARTEFACTS_PREFIX}${group}/`, { signal })) there.add(key);
  const entries: ArtefactEntry[] = [];
  let uploaded = 0;
  let extended = 0;
  const waiting = [...digests];
  const work = async (): Promise<void> => {
    for (let digest = waiting.shift(); digest !== undefined; digest = waiting.shift()) {
      signal.throwIfAborted();
      const key = artefactKey(group, digest);
      const path = await artefacts.localPath(digest);
      const isNew = !there.has(key) && (await upload(options, key, digest, path));
      if (isNew) uploaded += 1;
      else if (options.extendLocks === true && (await extendLock(options, key))) extended += 1;
      entries.push({ digest, bytes: (await stat(path)).size });
      onProgress?.(entries.length, digests.length);
    }
  };
  await Promise.all(Array.from({ length: COPIES_MAX }, work));
  entries.sort((a, b) => (a.digest < b.digest ? -1 : 1));
  return { entries, group, uploaded, extended };
}

/** Whether it was lengthened. A store whose lock cannot be lengthened has no `extendLock`: what is there stays as it is. */
async function extendLock({ store, lockUntil, signal }: CopyArtefactsOptions, key: string): Promise<boolean> {
  if (lockUntil === undefined || store.extendLock === undefined) return false;
  const found = await store.head(key, { signal });
  if ((found?.lockedUntilMs ?? 0) >= lockUntil.getTime()) return false;
  await store.extendLock(key, lockUntil, { signal });
  return true;
}

/** Whether it was this call that stored it. */
async function upload(
  { store, recipients, signal, lockUntil }: CopyArtefactsOptions,
  key: string,
  digest: Digest,
  path: string,
): Promise<boolean> {
  const wrapped = recipients.length === 0 ? null : await newWrappedKey(recipients);
  const content = packed(
    createReadStream(path, { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>,
    {
      name: digest,
      key: wrapped?.key ?? null,
      compression: availableCompression(),
      ...(wrapped === null ? {} : { wrappedKey: wrapped.wrapped }),
    },
    ({ sha256 }) => {
      if (sha256 !== digest) throw new DomainError('artefactCorrupt', `Artefact ${digest} holds other content`);
    },
  );
  try {
    await store.put(key, content, { ifNoneMatch: '*', signal, lockUntil });
    return true;
  } catch (error) {
    // Another backup was faster; the content follows from the key.
    if (!(error instanceof DomainError) || error.code !== 'conflict') throw error;
    return false;
  }
}
