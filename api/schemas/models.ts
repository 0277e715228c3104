import { z } from '@hono/zod-openapi';
import { ALIASES, VERSION_STATUSES } from '../../db/schema.ts';
import { evaluationSchema, gateResultSchema, lineageSchema, performanceSchema } from './evaluation.ts';
import { modelNameSchema, timestampSchema } from './parameters.ts';
import { routeSchema } from './routing.ts';
import { signatureSchema } from './signature.ts';
import { optional } from './optional.ts';

const aliasesSchema = z.strictObject({
  champion: optional(z.int()),
  candidate: optional(z.int()),
  previous: optional(z.int()),
});

const routingSchema = z.strictObject({ generation: z.int(), routes: z.array(routeSchema) });

const modelShape = {
  name: modelNameSchema,
  description: z.string(),
  aliases: aliasesSchema,
  versions: z.int().openapi({ description: 'How many versions there are' }),
  routing: routingSchema.nullable(),
};

export const modelListSchema = z.strictObject({ models: z.array(z.strictObject(modelShape).openapi('ModelSummary')) });

/** A definition is checked by `parseDefinition`: the one schema of model.yaml. Here it is any object. */
const definitionSchema = z.record(z.string(), z.unknown()).openapi({
  description: 'A model definition in its resolved form (durations in ms, absolute data.source)',
});

export const modelSchema = z
  .strictObject({
    ...modelShape,
    definition: definitionSchema,
    definition_digest: z.string(),
    updated_at: timestampSchema,
  })
  .openapi('Model');

export const applyModelSchema = z.strictObject({ definition: definitionSchema }).openapi('ApplyModel');
export const appliedModelSchema = z
  .strictObject({ name: modelNameSchema, definition_digest: z.string(), updated_at: timestampSchema })
  .openapi('AppliedModel');

const versionShape = {
  version: z.int(),
  status: z.enum(VERSION_STATUSES),
  algorithm: z.string(),
  artefact_digest: z.string(),
  evaluation: evaluationSchema,
  created_at: timestampSchema,
  aliases: z.array(z.enum(ALIASES)),
  lineage: lineageSchema,
};

export const versionListSchema = z.strictObject({
  versions: z.array(z.strictObject(versionShape).openapi('VersionSummary')),
});

const gateReportSchema = z.strictObject({
  passed: z.boolean(),
  results: z.array(gateResultSchema),
  performance: performanceSchema,
  created_at: timestampSchema,
});

export const versionSchema = z
  .strictObject({
    model: modelNameSchema,
    ...versionShape,
    signature: signatureSchema,
    gates: gateReportSchema.nullable(),
  })
  .openapi('Version');
