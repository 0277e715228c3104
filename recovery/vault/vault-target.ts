import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import type { Digest } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import {
  artefactKey,
  manifestKey,
  setFileKey,
  SETS_PREFIX,
  setPrefix,
  WAL_PREFIX,
} from '../../domain/recovery/layout.ts';
import { isSetId, type BackupManifest, type SetFile } from '../../domain/recovery/manifest.ts';
import { createObjectWalStore } from '../postgres/object-wal-store.ts';
import type { RestoreTarget } from '../restore/restore-target.ts';
import { collect, counted, unpacked, type Counted } from './file-content.ts';
import { unwrapKey } from './keys.ts';
import { corrupt } from './seal.ts';
import { MANIFEST_BYTES_MAX, openManifest } from './sign-manifest.ts';
import { envelopeName } from './stage-set.ts';
import type { VaultKeys } from './vault-keys.ts';
import { createWalCodec } from './wal-codec.ts';

/** A set as it was found: readable, or with the reason why not. */
export interface FoundSet {
  readonly setId: string;
  readonly manifest: BackupManifest | null;
  readonly problem: DomainError | null;
  /** Everything below the set's prefix, as it lies in the target. */
  readonly storedBytes: number;
  /** ISO 8601 of the newest verification that found nothing wrong. */
  readonly verifiedAt: string | null;
  readonly hold: string | null;
}

/** One target with everything in it: what restores, verifications and retention read. */
export interface VaultTarget extends RestoreTarget {
  readonly store: ObjectStore;
  /** Oldest first; a set that was never completed has no manifest and is not among them. */
  find(signal?: AbortSignal): Promise<readonly FoundSet[]>;
  manifest(setId: string): Promise<BackupManifest>;
  /** Whether a set of this id is complete here. @throws DomainError `invalidInput` when it is no id */
  has(setId: string): Promise<boolean>;
  /** Epoch ms until which the store itself keeps the set; `null`: no lock is known. */
  lockedUntilMs(setId: string, signal?: AbortSignal): Promise<number | null>;
  /** Identifiers of the servers whose log is here. */
  systems(signal?: AbortSignal): Promise<readonly string[]>;
  /** `onStored` hears of the bytes as they lie in the target, when all of them were read. */
  readFile(
    set: BackupManifest,
    file: SetFile,
    signal?: AbortSignal,
    onStored?: (stored: Counted) => void,
  ): Promise<AsyncIterable<Uint8Array>>;
}

const VERIFIED = /^verified\/(\d{8}T\d{9}Z)\.json$/;
const HOLD_BYTES_MAX = 64 * 1024;

/** `lockDays`: what is written of the log stays locked for so long; `null`: no lock is asked for. */
export function createVaultTarget(store: ObjectStore, keys: VaultKeys, lockDays: number | null = null): VaultTarget {
  const { address } = store;
  const readManifestOf = async (setId: string): Promise<BackupManifest> => {
    requireSetId(setId);
    const key = manifestKey(setId);
    const bytes = await collect((await store.get(key)).content, MANIFEST_BYTES_MAX, key);
    const { manifest } = openManifest(bytes, `${key} in ${address}`, keys.trusted);
    if (manifest.setId !== setId) throw corrupt(key, `it is the manifest of ${manifest.setId}`);
    return manifest;
  };
  const readFile: VaultTarget['readFile'] = async (set, file, signal, onStored) => {
    const key = setFileKey(set.setId, file.name);
    const { content } = await store.get(key, signal === undefined ? {} : { signal });
    const stored = onStored === undefined ? content : counted(content, onStored);
    return checked(unpackedFile(set, file, stored, keys), file);
  };
  const readSealed = async (set: BackupManifest, file: SetFile) => {
    const { content } = await store.get(setFileKey(set.setId, file.name));
    return measured(unpackedFile(set, file, content, keys), file);
  };
  return {
    store,
    address,
    manifest: readManifestOf,
    has: async (setId) => {
      requireSetId(setId);
      return (await store.head(manifestKey(setId))) !== null;
    },
    // The manifest is written last, under the same lock as the files.
    lockedUntilMs: async (setId, signal) => {
      const found = await store.head(manifestKey(setId), signal === undefined ? {} : { signal });
      return found?.lockedUntilMs ?? null;
    },
    systems: (signal) => findSystems(store, signal),
    readFile,
    find: (signal) => findSets(store, readManifestOf, signal),
    sets: async () => (await findSets(store, readManifestOf)).flatMap(({ manifest }) => manifest ?? []),
    open: (set) => {
      const signal = new AbortController().signal;
      const open = (name: string): Promise<AsyncIterable<Uint8Array>> => {
        const file = set.files.find((one) => one.name === name);
        if (file === undefined) throw new DomainError('notFound', `The set ${set.setId} has no file ${name}`);
        // Sealed chunks prove themselves, and what is unpacked is hashed file by file: once is enough.
        return set.encryption === null ? readFile(set, file) : readSealed(set, file);
      };
      return Promise.resolve({ files: set.files, open, signal });
    },
    artefact: async (set, digest) => {
      const { content } = await store.get(artefactKey(set.artefactGroup, digest));
      return openArtefact(content, digest, set, keys);
    },
    wal: (systemId) => Promise.resolve(createObjectWalStore(store, systemId, createWalCodec(keys), { lockDays })),
  };
}

function requireSetId(setId: string): void {
  if (isSetId(setId)) return;
  const allowed = ['an id that `sluice backup list` shows, for example 20300131T120000Z-0f3a9c1b'];
  throw new DomainError('invalidInput', `${setId.slice(0, 80)} is no id of a set`, [
    { field: 'set', message: 'is no id', allowed },
  ]);
}

async function findSystems(store: ObjectStore, signal?: AbortSignal): Promise<readonly string[]> {
  const found = new Set<string>();
  for await (const { key } of store.list(WAL_PREFIX, signal === undefined ? {} : { signal }))
    found.add(key.slice(WAL_PREFIX.length).split('/')[0] ?? '');
  return [...found];
}

/** The content of an artefact; fails at its end when it is not what its digest says. */
export async function* openArtefact(
  stored: AsyncIterable<Uint8Array>,
  digest: Digest,
  set: BackupManifest,
  { identities }: Pick<VaultKeys, 'identities'>,
): AsyncGenerator<Uint8Array> {
  const content = unpacked(stored, digest, (header) =>
    unwrapKey(header.wrappedKey ?? '', identities, set.encryption?.recipients ?? []),
  );
  yield* counted(content, ({ sha256 }) => {
    if (sha256 !== digest) throw corrupt(`artefact ${digest}`, `its content has the digest ${sha256}`);
  });
}

async function keyOfSet({ setId, encryption }: BackupManifest, keys: VaultKeys): Promise<Buffer> {
  if (encryption === null) throw corrupt(setId, 'a file is sealed although the manifest names no key');
  return unwrapKey(encryption.wrappedKey, keys.identities, encryption.recipients);
}

function unpackedFile(set: BackupManifest, { name }: SetFile, stored: AsyncIterable<Uint8Array>, keys: VaultKeys) {
  return unpacked(stored, envelopeName(set.setId, name), () => keyOfSet(set, keys));
}

async function* measured(content: AsyncIterable<Uint8Array>, file: SetFile): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of content) {
    bytes += chunk.byteLength;
    yield chunk;
  }
  if (bytes !== file.bytes) throw corrupt(file.name, `${bytes} bytes instead of ${file.bytes}`);
}

async function* checked(content: AsyncIterable<Uint8Array>, file: SetFile): AsyncGenerator<Uint8Array> {
  yield* counted(content, ({ bytes, sha256 }) => {
    if (bytes === file.bytes && sha256 === file.sha256) return;
    throw corrupt(file.name, `${bytes} bytes with the digest ${sha256} instead of ${file.bytes} with ${file.sha256}`);
  });
}

/** One listing for all sets; manifests are read one after the other. */
async function findSets(
  store: ObjectStore,
  readManifestOf: (setId: string) => Promise<BackupManifest>,
  signal?: AbortSignal,
): Promise<readonly FoundSet[]> {
  const seen = new Map<string, { names: string[]; bytes: number }>();
  for await (const { key, bytes } of store.list(SETS_PREFIX, signal === undefined ? {} : { signal })) {
    const setId = key.slice(SETS_PREFIX.length).split('/')[0] ?? '';
    const entry = seen.get(setId) ?? { names: [], bytes: 0 };
    entry.names.push(key.slice(setPrefix(setId).length));
    entry.bytes += bytes;
    seen.set(setId, entry);
  }
  const found: FoundSet[] = [];
  for (const [setId, { names, bytes }] of [...seen].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isSetId(setId) || !names.includes('manifest.json')) continue;
    const read = await readManifestOf(setId).then(
      (manifest) => ({ manifest, problem: null }),
      (error: unknown) => {
        if (error instanceof DomainError && error.code !== 'unavailable') return { manifest: null, problem: error };
        throw error;
      },
    );
    const hold = names.includes('hold.json') ? await readHold(store, setId) : null;
    found.push({ setId, ...read, storedBytes: bytes, verifiedAt: newestVerification(names), hold });
  }
  return found;
}

function newestVerification(names: readonly string[]): string | null {
  const stamp = names
    .flatMap((name) => VERIFIED.exec(name)?.[1] ?? [])
    .sort()
    .at(-1);
  if (stamp === undefined) return null;
  const [, y = '', mo = '', d = '', h = '', mi = '', s = '', ms = ''] =
    /^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})(\d{3})Z$/.exec(stamp) ?? [];
  return `${y}-${mo}-${d}T${h}:${mi}:${s}.${ms}Z`;
}

async function readHold(store: ObjectStore, setId: string): Promise<string> {
  const { content } = await store.get(`${setPrefix(setId)}hold.json`);
  const bytes = await collect(content, HOLD_BYTES_MAX, 'hold.json');
  try {
    const { reason } = JSON.parse(bytes.toString('utf8')) as { readonly reason?: unknown };
    return typeof reason === 'string' && reason !== '' ? reason : 'held';
  } catch {
    // Whatever it says, somebody wanted the set kept.
    return 'held';
  }
}

/** Those that were read back without a fault, in the same order. */
export function verifiedOf(sets: readonly FoundSet[]): readonly BackupManifest[] {
  return sets.flatMap(({ verifiedAt, manifest }) => (verifiedAt === null ? [] : (manifest ?? [])));
}
