/** A home with a real database and an encrypted folder target beside it, for the recovery bench. */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createFolderStore } from '../../adapters/object-stores/folder-store.ts';
import { migrate } from '../../db/migrate.ts';
import {
  MANIFEST_FORMAT_VERSION,
  MANIFEST_KIND,
  newSetId,
  type BackupManifest,
} from '../../domain/recovery/manifest.ts';
import { startPostgres, type EmbeddedPostgres } from '../../infra/embedded/postgres.ts';
import { takeBaseBackup } from '../../recovery/postgres/base-backup.ts';
import { formatLsn } from '../../recovery/postgres/lsn.ts';
import { createWalShipper, type WalShipper } from '../../recovery/postgres/ship-wal.ts';
import { countRows } from '../../recovery/restore/check-restored.ts';
import { newIdentity, recipientGroup } from '../../recovery/vault/keys.ts';
import { loadSigner } from '../../recovery/vault/sign-manifest.ts';
import { stageSet } from '../../recovery/vault/stage-set.ts';
import { publishManifest, uploadSet } from '../../recovery/vault/upload-set.ts';
import type { VaultKeys } from '../../recovery/vault/vault-keys.ts';
import { createVaultTarget, type VaultTarget } from '../../recovery/vault/vault-target.ts';

export interface BenchHome {
  readonly folder: string;
  readonly home: string;
  readonly postgres: EmbeddedPostgres;
  readonly target: VaultTarget;
  readonly keys: VaultKeys;
  query<T extends Record<string, unknown>>(text: string): Promise<readonly T[]>;
  stop(): Promise<void>;
}

export async function createBenchHome(): Promise<BenchHome> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-recovery-'));
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  mkdirSync(home);
  const postgres = await startPostgres({ home, keeper: null, port: 0 });
  await migrate(postgres.databaseUrl);
  const { identity, recipient } = await newIdentity();
  const signer = await loadSigner(join(folder, 'signing-key.pem'));
  const keys = { recipients: [recipient], identities: [identity], signer, trusted: [signer.publicKey] };
  return {
    folder,
    home,
    postgres,
    keys,
    target: createVaultTarget(createFolderStore(join(folder, 'target')), keys),
    query: (text) => query(postgres.databaseUrl, text),
    stop: async () => {
      await postgres.process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function query<T extends Record<string, unknown>>(
  databaseUrl: string,
  text: string,
): Promise<readonly T[]> {
  const client = new Client({ connectionString: databaseUrl });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Ships the log until it is stopped. */
export function shipLog({ postgres, target }: BenchHome): { shipper: WalShipper; stop: () => Promise<void> } {
  const halt = new AbortController();
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const shipper = createWalShipper({
    databaseUrl: postgres.databaseUrl,
    slot: 'sluice_bench',
    openStore: (systemId) => target.wal(systemId),
    log: quiet,
  });
  const running = shipper.run(halt.signal);
  return {
    shipper,
    stop: async () => {
      halt.abort();
      await running;
    },
  };
}

/** A complete, signed set of the database as it is. */
export async function backUp({ folder, postgres, target, keys }: BenchHome): Promise<BackupManifest> {
  const startedAt = new Date();
  const setId = newSetId(startedAt.getTime(), randomBytes(4).toString('hex'));
  const { signal } = new AbortController();
  const { databaseUrl } = postgres;
  const staged = await stageSet(join(folder, 'staging'), setId, keys.recipients);
  const sink = staged.sink(signal);
  const taken = await takeBaseBackup({ databaseUrl, label: setId }, async ({ name, stream }) => {
    await sink.add(`postgres/${name}`, stream);
  });
  await uploadSet(target.store, staged, { signal, lockUntil: null, onProgress: () => undefined });
  const manifest: BackupManifest = {
    kind: MANIFEST_KIND,
    formatVersion: MANIFEST_FORMAT_VERSION,
    setId,
    setKind: 'physical',
    startedAt: startedAt.toISOString(),
    finishedAt: new Date().toISOString(),
    requestedBy: 'bench',
    label: null,
    softwareVersion: 'bench',
    schemaVersion: 'bench',
    postgres: {
      major: 18,
      systemIdentifier: taken.systemId,
      timeline: taken.timeline,
      startLsn: formatLsn(taken.startLsn),
      endLsn: formatLsn(taken.stopLsn),
    },
    rowCounts: await countRows(databaseUrl),
    files: await staged.files(),
    artefacts: [],
    artefactGroup: recipientGroup(keys.recipients),
    temporal: { namespace: 'default', schedules: [], running: [] },
    configuration: { definitions: [], settings: {}, logs: [] },
    encryption: staged.encryption,
    compression: staged.compression,
    golden: [],
  };
  await publishManifest(target.store, manifest, keys.signer, { signal, lockUntil: null });
  await staged.clear();
  return manifest;
}

export function artefactsOf(home: string) {
  return createFolderArtefactStore(join(home, 'artefacts'));
}
