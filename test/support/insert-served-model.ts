import { query } from './query.ts';

/** The rows of a model with one version that answers, as far as the database asks for them. */
export async function insertServedModel(databaseUrl: string, model: string): Promise<void> {
  await query(
    databaseUrl,
    `insert into models(name, definition, definition_digest) values ('${model}', '{}', 'd');
     insert into model_versions(model, version, status, algorithm, artefact_digest, manifest_digest, signature, evaluation,
       lineage, registered_by_run) values ('${model}', 1, 'accepted', 'a', 'd', 'd', '{}', '{}', '{}', 'run');
     insert into model_aliases(model, alias, version, updated_by) values ('${model}', 'champion', 1, 't');`,
  );
}
