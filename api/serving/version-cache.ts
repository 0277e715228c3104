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

/** Versions that no routing names stay loaded within these, as a rollback brings one back. */
export interface KeptBounds {
  /** Of all of them together; 0 keeps none. */
  readonly bytesMax: number;
  readonly ttlMs: number;
}

export interface VersionCacheDeps {
  /** The registry's row of a version, `null` when there is none. */
  readonly find: (model: string, version: number) => Promise<Pick<VersionAddress, 'manifestDigest'> | null>;
  readonly artefacts: Pick<ArtefactStore, 'read'>;
  readonly onBatch: NonNullable<LoadOptions['onBatch']>;
  /** Absent: none is kept. */
  readonly kept?: KeptBounds;
}

/** A loaded version with its address, so that the routing on disk can name its manifest. */
export interface CachedVersion extends VersionAddress {
  readonly loaded: LoadedModel;
}

/** What is in memory now; evictions are since the start. */
export interface LoadedVersions {
  readonly routed: { readonly versions: number; readonly bytes: number };
  /** Named by no routing any more. */
  readonly kept: { readonly versions: number; readonly bytes: number };
  readonly evictions: { readonly budget: number; readonly age: number };
}

export interface VersionCache {
  /**
   * The version, proven and warm; loads it when needed, once however many ask. A given address spares the registry.
   * @throws DomainError `notFound`, `artefactCorrupt`, `unavailable`; the next call tries again
   */
  acquire(model: string, version: number, address?: VersionAddress): Promise<CachedVersion>;
  /**
   * Says which versions of the model its routing names. The others are kept within the bounds, and closed beyond them,
   * the longest unused first; each answers first what waits.
   */
  keepOnly(model: string, versions: ReadonlySet<number>): Promise<void>;
  status(): LoadedVersions;
  closeAll(): Promise<void>;
}

/**
 * Memory of a loaded version, reckoned by its file and on the safe side: the graph, its weights in the order that
 * onnxruntime wants, and what parsing leaves. A session without weights takes 150 kB (onnxruntime 1.30).
 */
const BYTES_PER_FILE_BYTE = 3;
const SESSION_BYTES = 256 * 1024;
/** What a timer can count. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const NONE_KEPT: KeptBounds = { bytesMax: 0, ttlMs: 0 };

interface Entry {
  readonly model: string;
  readonly version: number;
  readonly loading: Promise<CachedVersion>;
  /** 0 until it is loaded. */
  bytes: number;
  /** `null`: a routing names it, or is about to. */
  unusedSinceMs: number | null;
}

/** Holds the loaded versions of every model. Bounded by the routing (two or three versions per model) and by what is kept. */
export function createVersionCache(deps: VersionCacheDeps): VersionCache {
  const cache = new LoadedCache(deps);
  return {
    acquire: (model, version, address) => cache.acquire(model, version, address),
    keepOnly: (model, versions) => cache.keepOnly(model, versions),
    status: () => cache.status,
    closeAll: () => cache.closeAll(),
  };
}

class LoadedCache {
  readonly #deps: VersionCacheDeps;
  readonly #bounds: KeptBounds;
  readonly #entries = new Map<string, Entry>();
  readonly #evictions = { budget: 0, age: 0 };
  #expiry: NodeJS.Timeout | undefined;

  constructor(deps: VersionCacheDeps) {
    this.#deps = deps;
    this.#bounds = deps.kept ?? NONE_KEPT;
  }

  acquire(model: string, version: number, address?: VersionAddress): Promise<CachedVersion> {
    const name = `${model}/${version}`;
    const known = this.#entries.get(name);
    if (known !== undefined) {
      known.unusedSinceMs = null;
      return known.loading;
    }
    const loading = this.#load(model, version, address, (bytes) => (entry.bytes = bytes));
    const entry: Entry = { model, version, loading, bytes: 0, unusedSinceMs: null };
    this.#entries.set(name, entry);
    // A failed load is forgotten, so that the next call tries again.
    loading.catch(() => {
      if (this.#entries.get(name) === entry) this.#entries.delete(name);
    });
    return loading;
  }

  async keepOnly(model: string, named: ReadonlySet<number>): Promise<void> {
    const unused = [...this.#entries.values()].filter((entry) => entry.model === model && !named.has(entry.version));
    for (const entry of unused) entry.unusedSinceMs ??= performance.now();
    // What a load on its way takes is known at its end.
    await Promise.allSettled(unused.map(({ loading }) => loading));
    await this.#keepBounds();
  }

  get status(): LoadedVersions {
    const sum = (isKept: boolean) => {
      const entries = [...this.#entries.values()].filter((e) => (e.unusedSinceMs !== null) === isKept && e.bytes > 0);
      return { versions: entries.length, bytes: entries.reduce((bytes, entry) => bytes + entry.bytes, 0) };
    };
    return { routed: sum(false), kept: sum(true), evictions: { ...this.#evictions } };
  }

  async closeAll(): Promise<void> {
    clearTimeout(this.#expiry);
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(entries.map(({ loading }) => close(loading)));
  }

  async #load(
    model: string,
    version: number,
    address: VersionAddress | undefined,
    onBytes: (bytes: number) => void,
  ): Promise<CachedVersion> {
    const { find, artefacts, onBatch } = this.#deps;
    const manifestDigest = address?.manifestDigest ?? (await find(model, version))?.manifestDigest;
    if (manifestDigest === undefined) throw new DomainError('notFound', `There is no version ${version} of ${model}`);
    const manifest = parseManifest(await artefacts.read(manifestDigest), manifestDigest);
    const onnx = await artefacts.read(manifest.onnx.digest);
    const loaded = await loadModel({ onnx, manifest }, { onBatch });
    onBytes(onnx.byteLength * BYTES_PER_FILE_BYTE + SESSION_BYTES);
    return { model, version, manifestDigest, loaded };
  }

  /** Closes what is too old or too much, the longest unused first. A routed version is never among them. */
  async #keepBounds(): Promise<void> {
    clearTimeout(this.#expiry);
    const { bytesMax, ttlMs } = this.#bounds;
    const now = performance.now();
    const kept = [...this.#entries.values()]
      .filter((entry) => entry.unusedSinceMs !== null && entry.bytes > 0)
      .sort((a, b) => (a.unusedSinceMs ?? 0) - (b.unusedSinceMs ?? 0));
    let bytes = kept.reduce((sum, entry) => sum + entry.bytes, 0);
    const evicted: Entry[] = [];
    for (const entry of kept) {
      const isOld = now - (entry.unusedSinceMs ?? now) >= ttlMs;
      if (bytes <= bytesMax && !isOld) break;
      bytes -= entry.bytes;
      this.#evictions[bytesMax > 0 && isOld ? 'age' : 'budget'] += 1;
      this.#entries.delete(`${entry.model}/${entry.version}`);
      evicted.push(entry);
    }
    const next = kept[evicted.length];
    if (next !== undefined) this.#wakeAt((next.unusedSinceMs ?? now) + ttlMs - now);
    await Promise.all(evicted.map(({ loading }) => close(loading)));
  }

  #wakeAt(inMs: number): void {
    this.#expiry = setTimeout(() => void this.#keepBounds(), Math.min(LONGEST_TIMER_MS, Math.ceil(inMs)));
    this.#expiry.unref();
  }
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
