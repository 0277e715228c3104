import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { answered, row } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const PATH = '/v1/models/leavers:predict';
const { features } = row;

describe('KServe v1', () => {
  it('lists the models and says that one is ready', async () => {
    const { call } = await createTestApp();
    expect((await call('GET', '/v1/models')).json).toEqual({ models: ['leavers'] });
    expect((await call('GET', '/v1/models/leavers')).json).toEqual({ name: 'leavers', ready: true });
  });

  it('takes instances by name and in the order of the features', async () => {
    const { call, serving } = await createTestApp();
    const instances = [features, Object.values(features), { ...features, entity_id: 4711 }];
    const { json } = await call('POST', PATH, { body: { instances, signature_name: 'serving_default' } });
    expect(serving.predict).toHaveBeenCalledExactlyOnceWith('leavers', [
      { entityId: null, features },
      { entityId: null, features },
      { entityId: '4711', features },
    ]);
    expect(json.predictions).toHaveLength(3);
    expect(json.predictions[0]).toEqual({
      probability: 0.71,
      label: 'yes',
      risk: 'high',
      model_version: 1,
      request_id: answered.requestId,
      warnings: [],
    });
  });

  it('takes the colon of the path encoded as well', async () => {
    const { call } = await createTestApp();
    expect((await call('POST', '/v1/models/leavers%3Apredict', { body: { instances: [features] } })).status).toBe(200);
  });

  it('names every wrong field of every wrong row, and asks nothing', async () => {
    const { call, serving } = await createTestApp();
    const instances = [features, { ...features, contract: 'weekly', months: 3.5 }, [1], 7, { ...features, chrge: 1 }];
    const { status, json } = await call('POST', PATH, { body: { instances } });
    expect(status).toBe(400);
    for (const text of [
      'instances[1].contract: the string "weekly" is not a value',
      'instances[1].months: expected a whole JSON number',
      'instances[2]: expected 4 values',
      'instances[3]: expected an object',
      'instances[4].chrge: is no feature of this model; the nearest is (allowed: charge)',
    ]) {
      expect(json.error).toContain(text);
    }
    expect(json.error).not.toContain('instances[0]');
    expect(serving.predict).not.toHaveBeenCalled();
  });

  it('shows some of many problems and counts the rest', async () => {
    const { call } = await createTestApp();
    const instances = Array.from({ length: 1000 }, () => ({ ...features, contract: 'weekly' }));
    const { json } = await call('POST', PATH, { body: { instances } });
    expect(json.error).toContain('instances[19].contract');
    expect(json.error).not.toContain('instances[20].contract');
    expect(json.error).toMatch(/; and 80 more$/);
  });

  it.each([
    [{}, 'instances: expected a list of rows'],
    [{ instances: [] }, 'instances: expected 1 to 1000 rows, got 0'],
    [{ instances: Array.from({ length: 1001 }, () => features) }, 'got 1001'],
    [{ instances: [features], inputs: [] }, 'inputs: is not a known field'],
    [
      { instances: [{ ...features, entity_id: 'a', customer: 'b' }] },
      'instances[0].customer: says the same as entity_id',
    ],
    [{ instances: [{ ...features, entity_id: 1.5 }] }, 'instances[0].entity_id: expected a text'],
    [[], 'body: expected an object'],
  ])('refuses a body and says why (%#)', async (body, expected) => {
    const { call } = await createTestApp();
    const { status, json } = await call('POST', PATH, { body });
    expect(status).toBe(400);
    expect(json.error).toContain(expected);
  });

  it.each([
    ['/v1/models/leavers', 404],
    ['/v1/models/:predict', 404],
    ['/v1/models/leavers:classify', 400],
  ])('POST %s is a %i with an error', async (path, status) => {
    const { call } = await createTestApp();
    const answer = await call('POST', path, { body: { instances: [features] } });
    expect(answer).toMatchObject({ status, json: { error: expect.any(String) } });
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  it('explains the rows it answers', async () => {
    const { call, serving } = await createTestApp();
    const logit = Math.log(answered.probability / (1 - answered.probability));
    const contributions = [
      { feature: 'charge', value: 80, contribution: logit + 0.5 },
      { feature: 'months', value: 3, contribution: -0.5 },
    ];
    serving.explain.mockResolvedValue({ explained: true, explanation: { base: 0, logit, contributions } });
    const body = { instances: [features, features] };
    const { status, json } = await call('POST', '/v1/models/leavers:explain?top=1', { body });
    expect(status).toBe(200);
    expect(json.predictions).toHaveLength(2);
    expect(json.explanations).toHaveLength(2);
    expect(json.explanations[1]).toMatchObject({ base: 0, logit, contributions: [contributions[0]], others: -0.5 });
  });

  it('explains nothing, and predicts nothing, where a version cannot be explained or the rows are too many', async () => {
    const { call, serving } = await createTestApp();
    const explain = (instances: unknown[]) => call('POST', '/v1/models/leavers:explain', { body: { instances } });
    const many = await explain(Array.from({ length: 101 }, () => features));
    expect(many).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('at most 100 rows to explain') },
    });
    serving.explanationRefusal.mockResolvedValue('it was imported');
    const refused = await explain([features]);
    expect(refused).toMatchObject({ status: 501, json: { error: expect.stringContaining('it was imported') } });
    expect(serving.predict).not.toHaveBeenCalled();
  });

  it('takes JSON alone', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', PATH, { raw: 'a,b', headers: { 'content-type': 'text/csv' } });
    expect(answer.status).toBe(415);
  });

  it('passes on that a model is not there yet', async () => {
    const { call, serving } = await createTestApp();
    serving.served.mockReturnValue([]);
    serving.predict.mockRejectedValue(new DomainError('unavailable', 'leavers cannot be answered yet: loading'));
    const answer = await call('POST', PATH, { body: { instances: [features] } });
    expect(answer).toMatchObject({ status: 503, json: { error: 'leavers cannot be answered yet: loading' } });
    expect(answer.headers.get('retry-after')).toBe('2');
  });
});
