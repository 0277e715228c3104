import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ArtefactStore, Digest } from '../../domain/artefacts.ts';
import { DomainError, type Problem } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import type { ReferencedArtefacts } from './check-restored.ts';
import type { RestoreTarget } from './restore-target.ts';

/** Fetched side by side; each is a stream. */
const FETCHES_MAX = 4;

export interface FetchArtefactsOptions {
  readonly target: Pick<RestoreTarget, 'artefact'>;
  readonly set: BackupManifest;
  readonly store: ArtefactStore;
  readonly referenced: ReferencedArtefacts;
  /** Manifests of versions, whose files are needed as well. */
  readonly manifests: readonly Digest[];
  readonly scratchDir: string;
  readonly onFetched?: (done: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Brings every artefact that the restored rows name into the store; what is there already and whole is not fetched.
 * @returns how many were fetched
 * @throws DomainError `artefactCorrupt` naming each one that the target does not have, or has with other content
 */
export async function fetchArtefacts(options: FetchArtefactsOptions): Promise<number> {
  await mkdir(options.scratchDir, { recursive: true });
  const fetchAll = createFetcher(options);
  await fetchAll(options.referenced.digests);
  return fetchAll(await nestedArtefacts(options.store, options.manifests));
}

/** The files that manifests of versions name. */
async function nestedArtefacts(
  store: Pick<ArtefactStore, 'read'>,
  manifests: readonly Digest[],
): Promise<readonly Digest[]> {
  return (await Promise.all(manifests.map((digest) => filesOf(store, digest)))).flat();
}

async function filesOf(store: Pick<ArtefactStore, 'read'>, digest: Digest): Promise<readonly Digest[]> {
  const manifest = JSON.parse(new TextDecoder().decode(await store.read(digest))) as ArtefactManifest;
  return [manifest.onnx.digest, manifest.holdout.digest];
}

function createFetcher({ target, set, store, scratchDir, onFetched, signal }: FetchArtefactsOptions) {
  const seen = new Set<Digest>();
  const problems: Problem[] = [];
  let fetched = 0;
  const fetchOne = async (digest: Digest): Promise<void> => {
    if (await store.has(digest)) return;
    const draft = join(scratchDir, `${digest}.draft`);
    try {
      await pipeline(Readable.from(await target.artefact(set, digest)), createWriteStream(draft));
      const stored = await store.putFile(draft);
      if (stored.digest !== digest)
        problems.push({ field: digest, message: 'the target holds other content under it' });
      fetched += 1;
      onFetched?.(fetched);
    } catch (error) {
      if (!(error instanceof DomainError) || error.code === 'unavailable') throw error;
      problems.push({ field: digest, message: error.message });
    } finally {
      await rm(draft, { force: true });
    }
  };
  return async (digests: readonly Digest[]): Promise<number> => {
    const waiting = digests.filter((digest) => !seen.has(digest));
    for (const digest of waiting) seen.add(digest);
    const next = async (): Promise<void> => {
      for (let digest = waiting.shift(); digest !== undefined; digest = waiting.shift()) {
        signal?.throwIfAborted();
        await fetchOne(digest);
      }
    };
    await Promise.all(Array.from({ length: FETCHES_MAX }, next));
    if (problems.length > 0)
      throw new DomainError('artefactCorrupt', 'Artefacts are missing from the target', problems);
    return fetched;
  };
}
