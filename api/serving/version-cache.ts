import type { ArtefactStore } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import { loadModel } from '../../models/serving/load-model.ts';
import type { LoadedModel, LoadOptions } from '../../models/serving/load-model.ts';

/** Where the parts of a version are: the digest of its manifest. */
export interface VersionAddress {
  readonly model: string;
  readonly version: number;
  readonly manifestDigest: string;
}

export interface VersionCacheDeps {
  /** The registry's row of a version, `null` when there is none. */
  readonly find: (model: string, version: number) => Promise<Pick<VersionAddress, 'manifestDigest'> | null>;
  readonly artefacts: Pick<ArtefactStore, 'read'>;
  readonly onBatch: NonNullable<LoadOptions['onBatch']>;
}

/** A loaded version with its address, so that the routing on disk can name its manifest. */
export interface CachedVersion extends VersionAddress {
  readonly loaded: LoadedModel;
}

export interface VersionCache {
  /**
   * The version, proven and warm; loads it when needed, once however many ask. A given address spares the registry.
   * @throws DomainError `notFound`, `artefactCorrupt`, `unavailable`; the next call tries again
   */
  acquire(model: string, version: number, address?: VersionAddress): Promise<CachedVersion>;
  /** Closes every version of the model that is not named; each answers first what waits. */
  keepOnly(model: string, versions: ReadonlySet<number>): Promise<void>;
  closeAll(): Promise<void>;
}

/** Holds the loaded versions of every model. Its size is bounded by the routing: two versions per model. */
export function createVersionCache(deps: VersionCacheDeps): VersionCache {
  const byModel = new Map<string, Map<number, Promise<CachedVersion>>>();

  function acquire(model: string, version: number, address?: VersionAddress): Promise<CachedVersion> {
    const versions = byModel.get(model) ?? new Map<number, Promise<CachedVersion>>();
    byModel.set(model, versions);
    const known = versions.get(version);
    if (known !== undefined) return known;
    const loading = load(model, version, address);
    versions.set(version, loading);
    // A failed load is forgotten, so that the next call tries again.
    loading.catch(() => {
      if (versions.get(version) === loading) versions.delete(version);
    });
    return loading;
  }

  async function load(model: string, version: number, address?: VersionAddress): Promise<CachedVersion> {
    const manifestDigest = address?.manifestDigest ?? (await deps.find(model, version))?.manifestDigest;
    if (manifestDigest === undefined) throw new DomainError('notFound', `There is no version ${version} of ${model}`);
    const manifest = parseManifest(await deps.artefacts.read(manifestDigest), manifestDigest);
    const onnx = await deps.artefacts.read(manifest.onnx.digest);
    const loaded = await loadModel({ onnx, manifest }, { onBatch: deps.onBatch });
    return { model, version, manifestDigest, loaded };
  }

  async function keepOnly(model: string, keep: ReadonlySet<number>): Promise<void> {
    const versions = byModel.get(model);
    if (versions === undefined) return;
    const dropped = [...versions].filter(([version]) => !keep.has(version));
    for (const [version] of dropped) versions.delete(version);
    await Promise.all(dropped.map(([, loading]) => close(loading)));
  }

  async function closeAll(): Promise<void> {
    await Promise.all([...byModel.keys()].map((model) => keepOnly(model, new Set())));
  }

  return { acquire, keepOnly, closeAll };
}

async function close(loading: Promise<CachedVersion>): Promise<void> {
  const version = await loading.catch(() => null);
  await version?.loaded.close();
}

export function parseManifest(bytes: Uint8Array, digest: string): ArtefactManifest {
  try {
    return JSON.parse(new TextDecoder().decode(bytes)) as ArtefactManifest;
  } catch (cause) {
    throw new DomainError('artefactCorrupt', `The manifest ${digest} is not JSON: ${String(cause)}`);
  }
}
