import { describe, expect, it } from 'vitest';
import { NOW_MS, REQUEST_ID, answered } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

const recorded = {
  ...answered,
  requestId: REQUEST_ID,
  rolloutId: null,
  entityId: 'c-1',
  features: {},
  createdAtMs: NOW_MS - 1000,
};

describe('POST /feedback', () => {
  it('stores the truth of a prediction by its request id', async () => {
    const { call, world } = await createTestApp();
    world.predictions = [recorded];
    const body = { request_id: REQUEST_ID.toUpperCase(), label: 'yes', occurred_at: '2026-02-28T10:00:00+01:00' };
    const answer = await call('POST', '/feedback', { key: 'predict', body });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ accepted: true, matched: 1 });
    expect(world.feedback).toEqual([
      {
        requestId: REQUEST_ID,
        entityId: null,
        model: 'leavers',
        label: 'yes',
        occurredAtMs: Date.parse('2026-02-28T09:00:00Z'),
      },
    ]);
  });

  it('keeps a truth that comes before its prediction is recorded, and says that nothing matched yet', async () => {
    const { call, world } = await createTestApp();
    const answer = await call('POST', '/feedback', { body: { request_id: REQUEST_ID, label: 'no' } });
    expect(answer.json).toEqual({ accepted: true, matched: 0 });
    expect(world.feedback[0]).toMatchObject({ requestId: REQUEST_ID, occurredAtMs: NOW_MS });
  });

  it('takes an entity, with the model where several are served', async () => {
    const { call, world, serving } = await createTestApp();
    expect((await call('POST', '/feedback', { body: { entity_id: 17, label: 'yes' } })).status).toBe(200);
    expect(world.feedback[0]).toMatchObject({ requestId: null, entityId: '17', model: 'leavers' });
    serving.served.mockReturnValue([]);
    const unnamed = await call('POST', '/feedback', { body: { entity_id: 17, label: 'yes' } });
    expect(unnamed.json.problems[0].field).toBe('model');
    const named = await call('POST', '/feedback', { body: { entity_id: 17, model: 'leavers', label: 'yes' } });
    expect(named.status).toBe(200);
    const unknown = await call('POST', '/feedback', { body: { entity_id: 17, model: 'nobody', label: 'yes' } });
    expect(unknown.status).toBe(404);
    world.versions = [];
    const early = await call('POST', '/feedback', { body: { entity_id: 17, model: 'leavers', label: 'yes' } });
    expect(early.status).toBe(409);
  });

  it('names the classes when the label is none of them', async () => {
    const { call, world } = await createTestApp();
    const answer = await call('POST', '/feedback', { body: { entity_id: 'a', label: true } });
    expect(answer.status).toBe(422);
    expect(answer.json.problems).toEqual([
      { field: 'label', message: 'is not a class of leavers', allowed: ['yes', 'no'] },
    ]);
    expect(world.feedback).toEqual([]);
  });

  it.each([
    [{ label: 'yes' }, 'request_id'],
    [{ request_id: '17', label: 'yes' }, 'request_id'],
    [{ request_id: REQUEST_ID }, 'label'],
    [{ request_id: REQUEST_ID, label: 'yes', occurred_at: 'yesterday' }, 'occurred_at'],
    [{ request_id: REQUEST_ID, label: 'yes', occurred_at: '2026-03-01T12:06:00Z' }, 'occurred_at'],
    [{ request_id: REQUEST_ID, label: 'yes', model: 'other' }, 'model'],
    [{ request_id: REQUEST_ID, label: 'yes', lable: 'yes' }, 'lable'],
  ])('refuses %j, naming %s', async (body, field) => {
    const { call, world } = await createTestApp();
    world.predictions = [recorded];
    const answer = await call('POST', '/feedback', { body });
    expect(answer.status).toBe(422);
    expect(answer.fields).toContain(field);
    expect(world.feedback).toEqual([]);
  });
});
