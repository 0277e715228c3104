/** A home with a database, one served model and its artefacts, and a target it is backed up to: small but real. */
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { migrate } from '../../../db/migrate.ts';
import type { BackupManifest } from '../../../domain/recovery/manifest.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { backUpTo, createVaultHome, type VaultHome } from '../../support/vault-home.ts';
import { startServer, temporaryFolder, type RunningServer } from './restore-world.ts';

export interface PlatformWorld extends VaultHome {
  readonly running: RunningServer;
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
  return { ...(await createVaultHome(folder)), running, artefactDir };
}

/** Backs up what runs now: the database, what it names, and the manifest last. */
export function backUp(world: PlatformWorld, running: RunningServer, artefactDir: string): Promise<BackupManifest> {
  return backUpTo(world, running.server.databaseUrl, artefactDir);
}
