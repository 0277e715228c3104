/** A target with keys of its own, and sets of a database in it, without a platform around them. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../adapters/object-stores/folder-store.ts';
import {
  MANIFEST_FORMAT_VERSION,
  MANIFEST_KIND,
  newSetId,
  type BackupManifest,
} from '../../domain/recovery/manifest.ts';
import { takeBaseBackup } from '../../recovery/postgres/base-backup.ts';
import { formatLsn } from '../../recovery/postgres/lsn.ts';
import { countRows, referencedArtefacts } from '../../recovery/restore/check-restored.ts';
import { copyArtefacts } from '../../recovery/vault/copy-artefacts.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import { loadSigner } from '../../recovery/vault/sign-manifest.ts';
import { stageSet } from '../../recovery/vault/stage-set.ts';
import { publishManifest, uploadSet } from '../../recovery/vault/upload-set.ts';
import type { VaultKeys } from '../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../recovery/vault/vault-target.ts';

export interface VaultHome {
  readonly folder: string;
  readonly target: VaultTarget;
  readonly keys: VaultKeys;
}

/** An encrypted folder target below `folder`, with a new identity and a new signer. */
export async function createVaultHome(folder: string): Promise<VaultHome> {
  const { identity, recipient } = await newIdentity();
  const signer = await loadSigner(join(folder, 'signing-key.pem'));
  const keys = { recipients: [recipient], identities: [identity], signer, trusted: [signer.publicKey] };
  return { folder, keys, target: createVaultTarget(createFolderStore(join(folder, 'target')), keys) };
}

/** A complete, signed set of the database, the artefacts it names and the files given, as they are: the manifest last. */
export async function backUpTo(
  { folder, target, keys }: VaultHome,
  databaseUrl: string,
  artefactDir: string,
  files: Readonly<Record<string, string>> = {},
): Promise<BackupManifest> {
  const startedAt = new Date();
  const setId = newSetId(startedAt.getTime(), randomBytes(4).toString('hex'));
  const { signal } = new AbortController();
  const { recipients } = keys;
  const staged = await stageSet(join(folder, 'staging'), setId, recipients);
  const sink = staged.sink(signal);
  const taken = await takeBaseBackup({ databaseUrl, label: setId }, async ({ name, stream }) => {
    await sink.add(`postgres/${name}`, stream);
  });
  for (const [name, text] of Object.entries(files)) await sink.add(name, Readable.from([Buffer.from(text)]));
  const artefacts = createFolderArtefactStore(artefactDir);
  const digests = await artefactsNamedBy(databaseUrl, artefacts);
  const copied = await copyArtefacts({ store: target.store, artefacts, digests, recipients, signal });
  await uploadSet(target.store, staged, { signal, onProgress: () => undefined });
  const manifest: BackupManifest = {
    kind: MANIFEST_KIND,
    formatVersion: MANIFEST_FORMAT_VERSION,
    setId,
    setKind: 'physical',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    requestedBy: 'test',
    label: null,
    softwareVersion: '0',
    schemaVersion: 'any',
    postgres: {
      major: 18,
      systemIdentifier: taken.systemId,
      timeline: taken.timeline,
      startLsn: formatLsn(taken.startLsn),
      endLsn: formatLsn(taken.stopLsn),
    },
    rowCounts: await countRows(databaseUrl),
    files: await staged.files(),
    artefacts: copied.entries,
    artefactGroup: copied.group,
    temporal: { namespace: 'default', schedules: [], running: [] },
    configuration: { definitions: [], settings: {}, logs: [] },
    encryption: staged.encryption,
    compression: staged.compression,
    golden: [],
  };
  await publishManifest(target.store, manifest, keys.signer, { signal });
  await staged.clear();
  return manifest;
}

/** Of each version the file, its manifest, and the rows that the manifest names. */
async function artefactsNamedBy(
  databaseUrl: string,
  artefacts: ReturnType<typeof createFolderArtefactStore>,
): Promise<readonly string[]> {
  const { digests, manifests } = await referencedArtefacts(databaseUrl);
  const nested = await Promise.all(
    manifests.map(async (digest) => {
      const m = JSON.parse(new TextDecoder().decode(await artefacts.read(digest))) as { holdout: { digest: string } };
      return m.holdout.digest;
    }),
  );
  return [...digests, ...nested];
}
