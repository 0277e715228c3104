/** The protocol's JSON, for the documentation and its tests; requests are read by hand in `infer-request.ts`. */
import { z } from '@hono/zod-openapi';
import { modelNameSchema } from '../../schemas/parameters.ts';
import { optional } from '../../schemas/optional.ts';
import { DATATYPES } from './datatypes.ts';

/** Of an answer. Of a request any: those that mean nothing here are left alone, as the protocol has it. */
const parameters = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const requestParameters = z.unknown().openapi({
  description: 'An object; read here: `binary_data_size`, `binary_data`, `binary_data_output`',
});
const datatype = z.enum(DATATYPES as [string, ...string[]]);
const values = z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]));

/** A text: what no version has is answered with 404. */
const versionName = z.string().min(1).max(20).openapi({ example: '2' });
export const modelParams = z.strictObject({ model: modelNameSchema });
export const versionParams = z.strictObject({ model: modelNameSchema, version: versionName });

export const serverMetadataSchema = z
  .strictObject({ name: z.string(), version: z.string(), extensions: z.array(z.string()) })
  .openapi('InferenceServer');

export const serverHealthSchema = z
  .strictObject({ live: z.boolean(), ready: z.boolean() })
  .openapi('InferenceServerHealth');

const tensorMetadata = z
  .strictObject({ name: z.string(), datatype, shape: z.array(z.int()) })
  .openapi('TensorMetadata', { description: '-1 in a shape is any number of rows' });

export const modelMetadataSchema = z
  .strictObject({
    name: z.string(),
    versions: z.array(z.string()),
    platform: z.string(),
    inputs: z.array(tensorMetadata),
    outputs: z.array(tensorMetadata),
  })
  .openapi('InferenceModel');

export const modelReadySchema = z.strictObject({ name: z.string(), ready: z.boolean() }).openapi('InferenceModelReady');

export const inferRequestSchema = z
  .object({
    id: optional(z.string()),
    parameters: optional(requestParameters),
    inputs: z.array(
      z.object({
        name: z.string(),
        shape: z.array(z.int().min(0)),
        datatype,
        parameters: optional(requestParameters),
        data: optional(z.array(z.unknown())).openapi({ description: 'Flat or nested; absent with binary_data_size' }),
      }),
    ),
    outputs: optional(z.array(z.object({ name: z.string(), parameters: optional(requestParameters) })).nullable()),
  })
  .openapi('InferRequest');

export const inferAnswerSchema = z
  .strictObject({
    model_name: z.string(),
    model_version: z.string().openapi({ description: 'Of the first row; `parameters.model_versions` names several' }),
    id: optional(z.string()),
    parameters: optional(parameters),
    outputs: z.array(
      z.strictObject({
        name: z.string(),
        datatype,
        shape: z.array(z.int()),
        parameters: optional(parameters),
        data: optional(values),
      }),
    ),
  })
  .openapi('InferAnswer');

export const repositoryIndexSchema = z
  .array(
    z
      .strictObject({ name: z.string(), version: z.string(), state: z.literal('READY'), reason: z.string() })
      .openapi('RepositoryEntry'),
  )
  .openapi('RepositoryIndex');

export const bytesSchema = z.string().openapi({ format: 'binary' });
