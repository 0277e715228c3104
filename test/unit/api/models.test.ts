import { describe, expect, it } from 'vitest';
import { definition } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

describe('models', () => {
  it('are listed with aliases, number of versions and routing', async () => {
    const { call } = await createTestApp();
    const { json } = await call('GET', '/models', { key: 'monitor' });
    expect(json.models).toEqual([
      {
        name: 'leavers',
        description: 'who leaves',
        aliases: { champion: 1 },
        versions: 3,
        routing: { generation: 4, routes: [{ variant: 'champion', version: 1, weightPercent: 100 }] },
      },
    ]);
  });

  it('without versions and routing are listed too', async () => {
    const { call, world } = await createTestApp();
    world.versions = [];
    world.routing = [];
    world.aliases = {};
    const { json } = await call('GET', '/models');
    expect(json.models[0]).toMatchObject({ versions: 0, routing: null, aliases: {} });
  });

  it('are shown with their definition; an unknown one is 404 with the names there are', async () => {
    const { call } = await createTestApp();
    expect((await call('GET', '/models/leavers')).json.definition).toEqual(definition);
    const answer = await call('GET', '/models/leaver');
    expect(answer.status).toBe(404);
    expect(answer.json.problems).toEqual([{ field: 'model', message: 'is not a model here', allowed: ['leavers'] }]);
  });

  it('are applied from a definition, by whom the audit says', async () => {
    const { call, world } = await createTestApp();
    const body = { definition: { ...definition, name: 'other' } };
    const answer = await call('POST', '/models', { body });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ name: 'other', definition_digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(world.models.map((m) => m.name)).toEqual(['leavers', 'other']);
    expect(world.audit[0]).toMatchObject({ actor: 'key:admin-key', subject: 'other' });
  });

  it('are refused with every wrong field of the definition', async () => {
    const { call, world } = await createTestApp();
    const broken = { ...definition, name: 'No Good', risk: { medium: 2, high: 3 }, colour: 'red' };
    const answer = await call('POST', '/models', { body: { definition: broken } });
    expect(answer.status).toBe(422);
    const fields = answer.fields;
    expect(fields).toEqual(expect.arrayContaining(['name', 'risk.medium', 'risk.high', 'colour']));
    expect(world.models).toHaveLength(1);
    const relative = { ...definition, data: { ...definition.data, source: 'data.csv' } };
    expect((await call('POST', '/models', { body: { definition: relative } })).status).toBe(422);
  });
});

describe('versions', () => {
  it('are listed newest first with their aliases', async () => {
    const { call } = await createTestApp();
    const { json } = await call('GET', '/models/leavers/versions?limit=2', { key: 'monitor' });
    expect((json.versions as { version: number }[]).map((v) => v.version)).toEqual([3, 2]);
    const all = await call('GET', '/models/leavers/versions');
    expect(all.json.versions[2]).toMatchObject({ version: 1, aliases: ['champion'], status: 'accepted' });
    expect((await call('GET', '/models/nobody/versions')).status).toBe(404);
  });

  it('are shown with signature and gates', async () => {
    const { call } = await createTestApp();
    const { json } = await call('GET', '/models/leavers/versions/2');
    expect(json).toMatchObject({ model: 'leavers', version: 2, gates: { passed: true } });
    expect(json.signature.features).toHaveLength(4);
  });

  it.each(['9', '0', 'two', '1.5', '99999999999'])('%s is not found or not a version', async (version) => {
    const { call } = await createTestApp();
    const answer = await call('GET', `/models/leavers/versions/${version}`);
    expect(answer.status).toBe(version === '9' ? 404 : 422);
    if (version === '9') expect(answer.json.problems[0].allowed).toEqual(['1..3']);
  });
});
