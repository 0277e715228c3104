import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { modelFileSchema } from './schema.ts';

export const SCHEMA_PATH = fileURLToPath(new URL('../../docs/schema/model.schema.json', import.meta.url));

/**
 * The JSON Schema of model.yaml, for editors. A section may also be empty (all its lines commented out), as the loader
 * allows.
 */
export function modelFileJsonSchema(): string {
  const { $schema, ...schema } = z.toJSONSchema(modelFileSchema, { io: 'input' });
  const required = new Set(schema.required);
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) => [
    name,
    required.has(name) || typeof property === 'boolean' ? property : orNull(property),
  ]);
  const published = {
    $schema,
    title: 'Sluice model definition',
    description:
      'model.yaml: where the data is, what is predicted, which gates a version must pass, how it is rolled out.',
    ...schema,
    properties: Object.fromEntries(properties) as unknown,
  };
  return `${JSON.stringify(published, null, 2)}\n`;
}

/** What an editor shows stays outside the choice. */
function orNull(property: z.core.JSONSchema.JSONSchema): z.core.JSONSchema.JSONSchema {
  const { description, default: fallback, ...rest } = property;
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    anyOf: [rest, { type: 'null' }],
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(SCHEMA_PATH, modelFileJsonSchema());
