import type { Registry, VersionRow } from '../../db/ports.ts';
import type { Alias } from '../../db/schema.ts';
import { DomainError } from '../../domain/errors.ts';
import { z } from '@hono/zod-openapi';
import { answerJson } from '../answers.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { requireModel } from '../require-model.ts';
import { versionListSchema, versionSchema } from '../schemas/models.ts';
import { limitQuery, modelParams, versionParams } from '../schemas/parameters.ts';

export interface VersionDeps {
  readonly registry: Pick<Registry, 'models' | 'versions'>;
}

type Aliases = Readonly<Partial<Record<Alias, number>>>;

const ALIAS_NAMES: readonly Alias[] = ['champion', 'candidate', 'previous'];

function describeVersion(row: VersionRow, aliases: Aliases) {
  return {
    version: row.version,
    status: row.status,
    algorithm: row.algorithm,
    artefact_digest: row.artefactDigest,
    evaluation: row.evaluation,
    created_at: row.createdAt.toISOString(),
    aliases: ALIAS_NAMES.filter((name) => aliases[name] === row.version),
    lineage: row.lineage,
  };
}

/** @throws DomainError `notFound` saying which versions there are */
export async function requireVersion(
  registry: VersionDeps['registry'],
  model: string,
  version: number,
): Promise<VersionRow> {
  const row = await registry.versions.find(model, version);
  if (row !== null) return row;
  await requireModel(registry.models, model);
  const [newest] = await registry.versions.list(model, 1);
  const allowed = newest === undefined ? [] : [`1..${newest.version}`];
  const message = newest === undefined ? 'the model has no version yet' : 'is not a version of the model';
  throw new DomainError('notFound', `${model} has no version ${version}`, [{ field: 'version', message, allowed }]);
}

/** `GET /models/{model}/versions`, `GET /models/{model}/versions/{version}`. */
export function versionOperations({ registry }: VersionDeps): readonly Operation[] {
  const { versions } = registry;
  const common = { method: 'get', tag: 'Models', permission: 'monitor', refusals: ['notFound'] } as const;
  return [
    defineOperation({
      ...common,
      id: 'listVersions',
      path: '/models/{model}/versions',
      summary: 'List the versions of a model',
      description: 'Newest first, each with its evaluation and what made it.',
      params: modelParams,
      query: z.strictObject({ limit: limitQuery }),
      answers: { 200: { description: 'The versions', schema: versionListSchema } },
      handle: async ({ c, params, query }) => {
        await requireModel(registry.models, params.model);
        const [rows, aliases] = await Promise.all([
          versions.list(params.model, query.limit),
          versions.aliases(params.model),
        ]);
        return answerJson(c, 200, { versions: rows.map((row) => describeVersion(row, aliases)) });
      },
    }),
    defineOperation({
      ...common,
      id: 'showVersion',
      path: '/models/{model}/versions/{version}',
      summary: 'Show a version',
      description: 'One version with its signature and its latest gate report.',
      params: versionParams,
      answers: { 200: { description: 'The version', schema: versionSchema } },
      handle: async ({ c, params }) => {
        const { model, version } = params;
        const row = await requireVersion(registry, model, version);
        const [aliases, gates] = await Promise.all([versions.aliases(model), versions.latestGates(model, version)]);
        const report = gates === null ? null : describeGates(gates);
        return answerJson(c, 200, {
          model,
          ...describeVersion(row, aliases),
          signature: row.signature,
          gates: report,
        });
      },
    }),
  ];
}

type Gates = NonNullable<Awaited<ReturnType<Registry['versions']['latestGates']>>>;

function describeGates({ passed, results, performance, createdAt }: Gates) {
  return { passed, results, performance, created_at: createdAt.toISOString() };
}
