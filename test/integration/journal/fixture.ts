import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import type { Registry } from '../../../db/ports.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { definition, newVersion, routingChange } from '../db/fixture.ts';

export interface Home {
  readonly path: string;
  remove(): Promise<void>;
}

/** A home with the artefact of model `m`, whose one version serves. */
export async function givenServedModel(registry: Registry): Promise<Home> {
  const path = await mkdtemp(join(tmpdir(), 'sluice-journal-'));
  await registry.models.apply(definition('m'), 'digest', 'test');
  const { onnx, manifest } = tinyModel({ weights: [0], bias: 0.1, link: 'identity' });
  const artefacts = createFolderArtefactStore(join(path, 'artefacts'));
  const artefactDigest = await artefacts.put(onnx);
  const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(manifest)));
  await registry.versions.register({ ...newVersion('m', 'run'), artefactDigest, manifestDigest });
  await registry.routing.apply(routingChange('m'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Asks over and over on so many connections; `answered` are the ids of the answers that came back whole. */
export function putLoadOn(ask: () => Promise<string>, connections: number) {
  const answered: string[] = [];
  const failures: unknown[] = [];
  let stopping = false;
  const client = async (): Promise<void> => {
    while (!stopping) {
      try {
        answered.push(await ask());
      } catch (error) {
        failures.push(error);
        return;
      }
    }
  };
  const clients = Array.from({ length: connections }, client);
  return {
    answered,
    failures,
    stop: async () => {
      stopping = true;
      await Promise.all(clients);
    },
  };
}
