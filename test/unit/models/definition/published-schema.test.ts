import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { loadDefinition } from '../../../../models/definition/load.ts';
import { modelFileJsonSchema, SCHEMA_PATH } from '../../../../models/definition/publish-schema.ts';

describe('docs/schema/model.schema.json', () => {
  it('is what the code checks: run models/definition/publish-schema.ts after a change', async () => {
    expect(await readFile(SCHEMA_PATH, 'utf8')).toBe(modelFileJsonSchema());
  });

  it('tells editors about defaults, choices and unknown keys', () => {
    const schema = JSON.parse(modelFileJsonSchema());
    expect(schema.required).toEqual(['name', 'target', 'data']);
    expect(schema.additionalProperties).toBe(false);
    expect(JSON.stringify(schema.properties.rollout)).toContain('"canary","blue-green"');
  });
});

describe('examples/churn/model.yaml', () => {
  it('loads, and names the published schema in its first line', async () => {
    const path = new URL('../../../../examples/churn/model.yaml', import.meta.url).pathname;
    const definition = await loadDefinition(path);
    expect(definition).toMatchObject({ name: 'churn', entity: 'customerID', target: { positive: 'Yes' } });
    expect((await readFile(path, 'utf8')).split('\n')[0]).toContain('$schema=../../docs/schema/model.schema.json');
  });
});
