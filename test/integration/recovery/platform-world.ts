/** A home with a database, one served model and its artefacts, and a target it is backed up to: small but real. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { migrate } from '../../../db/migrate.ts';
import {
  MANIFEST_FORMAT_VERSION,
  MANIFEST_KIND,
  newSetId,
  type BackupManifest,
} from '../../../domain/recovery/manifest.ts';
import { takeBaseBackup } from '../../../recovery/postgres/base-backup.ts';
import { formatLsn } from '../../../recovery/postgres/lsn.ts';
import { countRows, referencedArtefacts } from '../../../recovery/restore/check-restored.ts';
import { copyArtefacts } from '../../../recovery/vault/copy-artefacts.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { loadSigner } from '../../../recovery/vault/sign-manifest.ts';
import { stageSet } from '../../../recovery/vault/stage-set.ts';
import { publishManifest, uploadSet } from '../../../recovery/vault/upload-set.ts';
import type { VaultKeys } from '../../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../../recovery/vault/vault-target.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { startServer, temporaryFolder, type RunningServer } from './restore-world.ts';

export interface PlatformWorld {
  readonly folder: string;
  readonly running: RunningServer;
  readonly target: VaultTarget;
  readonly keys: VaultKeys;
  readonly artefactDir: string;
}

/** A home whose database serves version 1 of `tiny`, and an encrypted folder target. */
export async function createPlatformWorld(): Promise<PlatformWorld> {
  const folder = temporaryFolder();
  const running = await startServer(join(folder, 'home'));
  await migrate(running.server.databaseUrl);
  const artefactDir = join(running.home, 'artefacts');
  const artefacts = createFolderArtefactStore(artefactDir);
  const { onnx, manifest } = tinyModel();
  const onnxDigest = await artefacts.put(onnx);
  const holdout = await artefacts.put(new TextEncoder().encode('{}\n'));
  const whole = { ...manifest, holdout: { digest: holdout, rows: 1 } };
  const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(whole)));
  await running.query(`
    insert into models(name, definition, definition_digest) values ('tiny', '{}', 'd');
    insert into model_versions(model, version, status, algorithm, artefact_digest, manifest_digest, signature, evaluation,
      lineage, registered_by_run)
    values ('tiny', 1, 'accepted', 'a', '${onnxDigest}', '${manifestDigest}', '{}', '{}', '{}', 'run');
    insert into model_aliases(model, alias, version, updated_by) values ('tiny', 'champion', 1, 'test');
    insert into routing(model, generation, salt, routes, slow_ms, change_id)
    values ('tiny', 3, 's', '[{"variant":"champion","version":1,"weightPercent":100}]', 100, 'c');
    create table notes(id serial primary key, body text);
    insert into notes(body) select 'first' from generate_series(1, 100);`);
  const { identity, recipient } = await newIdentity();
  const signer = await loadSigner(join(folder, 'signing-key.pem'));
  const keys = { recipients: [recipient], identities: [identity], signer, trusted: [signer.publicKey] };
  const target = createVaultTarget(createFolderStore(join(folder, 'target')), keys);
  return { folder, running, target, keys, artefactDir };
}

/** Backs up what runs now: the database, what it names, and the manifest last. */
export async function backUp(
  world: PlatformWorld,
  running: RunningServer,
  artefactDir: string,
): Promise<BackupManifest> {
  const startedAt = new Date();
  const setId = newSetId(startedAt.getTime(), randomBytes(4).toString('hex'));
  const { keys, target, folder } = world;
  const signal = new AbortController().signal;
  const staged = await stageSet(join(folder, 'staging'), setId, keys.recipients);
  const sink = staged.sink(signal);
  const { databaseUrl } = running.server;
  const taken = await takeBaseBackup({ databaseUrl, label: setId }, async ({ name, stream }) => {
    await sink.add(`postgres/${name}`, stream);
  });
  const { digests, manifests } = await referencedArtefacts(databaseUrl);
  const artefacts = createFolderArtefactStore(artefactDir);
  const nested = await Promise.all(
    manifests.map(async (digest) => {
      const m = JSON.parse(new TextDecoder().decode(await artefacts.read(digest))) as { holdout: { digest: string } };
      return m.holdout.digest;
    }),
  );
  const { recipients } = keys;
  const copied = await copyArtefacts({
    store: target.store,
    artefacts,
    digests: [...digests, ...nested],
    recipients,
    signal,
  });
  await uploadSet(target.store, staged, { signal, lockUntil: null, onProgress: () => undefined });
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
  await publishManifest(target.store, manifest, keys.signer, { signal, lockUntil: null });
  return manifest;
}
