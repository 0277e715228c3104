import type { ModelRow, VersionRow } from '../db/ports.ts';
import type { ArtefactStore, Digest } from '../domain/artefacts.ts';
import { isTrainable } from '../domain/definition.ts';
import type { ModelDefinition, TrainableDefinition } from '../domain/definition.ts';
import { DomainError } from '../domain/errors.ts';
import type { ArtefactManifest } from '../models/manifest.ts';
import type { ActivityDeps } from './deps.ts';

/** Names listed in an error: more are not read. */
const NAMES_MAX = 20;

type Reader = Pick<ActivityDeps, 'registry'>;

/** @throws DomainError `notFound` naming the models there are */
export async function requireModel({ registry }: Reader, model: string): Promise<ModelRow> {
  const row = await registry.models.find(model);
  if (row !== null) return row;
  const names = (await registry.models.list()).map((m) => m.name).slice(0, NAMES_MAX);
  const allowed = names.length > 0 ? names : ['(none: apply a model definition first)'];
  throw new DomainError('notFound', 'There is no such model', [
    { field: 'model', message: `"${model}" is not known`, allowed },
  ]);
}

/** @throws DomainError `notFound` naming the newest versions there are */
export async function requireVersion({ registry }: Reader, model: string, version: number): Promise<VersionRow> {
  const row = await registry.versions.find(model, version);
  if (row !== null) return row;
  await requireModel({ registry }, model);
  const known = (await registry.versions.list(model, NAMES_MAX)).map((v) => String(v.version));
  const allowed = known.length > 0 ? known : ['(none: train the model first)'];
  throw new DomainError('notFound', 'There is no such version', [
    { field: 'version', message: `${model} has no version ${version}`, allowed },
  ]);
}

/** @throws DomainError `refused` for a model whose versions are imported */
export function requireTrainable(definition: ModelDefinition): TrainableDefinition {
  if (isTrainable(definition)) return definition;
  throw new DomainError('refused', `${definition.name} has no training data: its versions are imported`);
}

export async function readDefinition(artefacts: ArtefactStore, digest: Digest): Promise<ModelDefinition> {
  return JSON.parse(new TextDecoder().decode(await artefacts.read(digest))) as ModelDefinition;
}

export async function readManifest(artefacts: ArtefactStore, digest: Digest): Promise<ArtefactManifest> {
  return JSON.parse(new TextDecoder().decode(await artefacts.read(digest))) as ArtefactManifest;
}
