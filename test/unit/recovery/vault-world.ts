import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import type { ArtefactStore } from '../../../domain/artefacts.ts';
import {
  MANIFEST_FORMAT_VERSION,
  MANIFEST_KIND,
  newSetId,
  type BackupManifest,
} from '../../../domain/recovery/manifest.ts';
import { copyArtefacts } from '../../../recovery/vault/copy-artefacts.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { loadSigner } from '../../../recovery/vault/sign-manifest.ts';
import { stageSet } from '../../../recovery/vault/stage-set.ts';
import { publishManifest, uploadSet } from '../../../recovery/vault/upload-set.ts';
import type { VaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';

export interface VaultWorld {
  readonly dir: string;
  readonly artefacts: ArtefactStore;
  readonly keys: VaultKeys;
  readonly target: VaultTarget;
  /** Where a key of the target lies as a file. */
  readonly pathOf: (key: string) => string;
  readonly flip: (key: string, at: number) => Promise<void>;
  readonly end: () => Promise<void>;
}

export const DAY_MS = 86_400_000;

export async function createVaultWorld(encrypted = true): Promise<VaultWorld> {
  const dir = await mkdtemp(join(tmpdir(), 'vault-'));
  const { identity, recipient } = await newIdentity();
  const signer = await loadSigner(join(dir, 'keys/signing.pem'));
  const keys: VaultKeys = {
    recipients: encrypted ? [recipient] : [],
    identities: encrypted ? [identity] : [],
    signer,
    trusted: [signer.publicKey],
  };
  const pathOf = (key: string): string => join(dir, 'target', key);
  return {
    dir,
    keys,
    artefacts: createFolderArtefactStore(join(dir, 'artefacts')),
    target: createVaultTarget(createFolderStore(join(dir, 'target')), keys),
    pathOf,
    flip: async (key, at) => {
      const bytes = await readFile(pathOf(key));
      bytes[at < 0 ? bytes.byteLength + at : at]! ^= 1;
      await rm(pathOf(key));
      await writeFile(pathOf(key), bytes);
    },
    end: () => rm(dir, { recursive: true, force: true }),
  };
}

const signal = new AbortController().signal;

/** A whole set with some files and artefacts. */
export async function backUpTo(
  world: VaultWorld,
  files: Readonly<Record<string, Buffer>>,
  artefacts: readonly Buffer[] = [],
  startedAtMs = Date.now(),
  change: Partial<BackupManifest> = {},
): Promise<BackupManifest> {
  const { keys, target } = world;
  const setId = newSetId(startedAtMs, Math.random().toString(16).slice(2).padEnd(8, '0'));
  const staged = await stageSet(join(world.dir, 'staging'), setId, keys.recipients);
  for (const [name, bytes] of Object.entries(files)) await staged.sink(signal).add(name, inChunks(bytes));
  const digests: string[] = [];
  for (const bytes of artefacts) digests.push(await world.artefacts.put(bytes));
  const { recipients } = keys;
  const copied = await copyArtefacts({ store: target.store, artefacts: world.artefacts, digests, recipients, signal });
  const uploaded: number[] = [];
  await uploadSet(target.store, staged, { signal, onProgress: (bytes) => uploaded.push(bytes) });
  const manifest: BackupManifest = {
    ...sampleManifest(setId, startedAtMs),
    ...change,
    files: await staged.files(),
    compression: staged.compression,
    encryption: staged.encryption,
    artefacts: copied.entries,
    artefactGroup: copied.group,
  };
  await publishManifest(target.store, manifest, keys.signer, { signal });
  await staged.clear();
  return manifest;
}

export function sampleManifest(setId: string, startedAtMs: number): BackupManifest {
  return {
    kind: MANIFEST_KIND,
    formatVersion: MANIFEST_FORMAT_VERSION,
    setId,
    setKind: 'physical',
    startedAt: new Date(startedAtMs).toISOString(),
    finishedAt: new Date(startedAtMs + 1000).toISOString(),
    requestedBy: 'test',
    label: null,
    softwareVersion: '0.1.0',
    schemaVersion: '0001_first',
    postgres: { major: 18, systemIdentifier: '7', timeline: 1, startLsn: '0/2000028', endLsn: '0/2000158' },
    rowCounts: { 'public.models': 1 },
    files: [],
    artefacts: [],
    artefactGroup: 'plain',
    temporal: { namespace: 'default', schedules: [], running: [] },
    configuration: { definitions: [], settings: {}, logs: [] },
    encryption: null,
    compression: 'gzip',
    golden: [],
  };
}

export async function* inChunks(bytes: Buffer, chunkBytes = 300_001): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes)
    yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
}

export async function readAll(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}
