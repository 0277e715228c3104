import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../domain/errors.ts';
import { answered, REQUEST_ID, row } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

describe('POST /predict', () => {
  it('answers with the prediction, its version and one id for both', async () => {
    const { call, serving } = await createTestApp();
    const answer = await call('POST', '/predict', { key: 'predict', body: { model: 'leavers', ...row } });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      request_id: REQUEST_ID,
      model: 'leavers',
      model_version: 1,
      variant: 'champion',
      probability: 0.71,
      label: 'yes',
      risk: 'high',
      threshold: 0.5,
      latency_ms: 0.432,
      warnings: [],
    });
    expect(answer.headers.get('x-request-id')).toBe(REQUEST_ID);
    expect(serving.predict).toHaveBeenCalledWith('leavers', [{ entityId: 'c-1', features: row.features }]);
  });

  it('leaves the choice of the model to the serving path, and takes whole numbers as entity ids', async () => {
    const { call, serving } = await createTestApp();
    await call('POST', '/predict', { body: { entity_id: 4711, features: {} } });
    expect(serving.predict).toHaveBeenCalledWith(null, [{ entityId: '4711', features: {} }]);
  });

  it('takes the model from the path', async () => {
    const { call, serving } = await createTestApp();
    const answer = await call('POST', '/models/leavers/predict', { body: { features: {} } });
    expect(answer.status).toBe(200);
    expect(serving.predict).toHaveBeenCalledWith('leavers', [{ entityId: null, features: {} }]);
    const twice = await call('POST', '/models/leavers/predict', { body: { model: 'other', features: {} } });
    expect(twice.status).toBe(422);
    expect(twice.json.problems).toEqual([
      { field: 'model', message: 'is not a known field', allowed: ['entity_id', 'features'] },
    ]);
  });

  it('names every feature that is refused', async () => {
    const { call, serving } = await createTestApp();
    const problems = [{ field: 'features.contract', message: 'is not known', allowed: ['monthly', 'yearly'] }];
    serving.predict.mockResolvedValueOnce([{ ok: false, problems }]);
    const answer = await call('POST', '/predict', { body: row });
    expect(answer.status).toBe(422);
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    expect(answer.json).toMatchObject({
      type: 'urn:sluice:problem:invalid-input',
      status: 422,
      instance: '/predict',
      error: 'invalidInput',
      problems,
    });
  });

  it('passes warnings on', async () => {
    const { call, serving } = await createTestApp();
    const warnings = [{ field: 'features.charge', message: 'lies outside 10..120' }];
    serving.predict.mockResolvedValueOnce([{ ...answered, warnings }]);
    expect((await call('POST', '/predict', { body: row })).json.warnings).toEqual(warnings);
  });

  it('names every field of a body of the wrong shape', async () => {
    const { call, serving } = await createTestApp();
    const body = { model: 7, entity_id: {}, features: [1], extra: true, 'x y': 1 };
    const answer = await call('POST', '/predict', { body });
    expect(answer.status).toBe(422);
    expect([...answer.fields].sort()).toEqual(['entity_id', 'extra', 'features', 'model', 'x y'].sort());
    expect(serving.predict).not.toHaveBeenCalled();
  });

  it('sees a field named __proto__', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/predict', { raw: '{"__proto__": {"a": 1}, "features": {}}' });
    expect(answer.status).toBe(422);
    expect(answer.json.problems[0].field).toBe('__proto__');
  });

  it.each([null, [], 'text', 1, true])('refuses %j as a body', async (body) => {
    const { call } = await createTestApp();
    expect((await call('POST', '/predict', { raw: JSON.stringify(body) })).status).toBe(422);
  });

  it.each([
    ['notFound', 404],
    ['malformedRequest', 400],
    ['unavailable', 503],
  ] as const)('answers %s of the serving path with %i', async (code, status) => {
    const { call, serving } = await createTestApp();
    serving.predict.mockRejectedValueOnce(new DomainError(code, 'because'));
    const answer = await call('POST', '/predict', { body: row });
    expect(answer.status).toBe(status);
    expect(answer.json).toMatchObject({ error: code, detail: 'because' });
    expect(answer.headers.get('retry-after')).toBe(status === 503 ? '2' : null);
  });
});

describe('POST /predict/batch', () => {
  it('keeps the order, and lets no bad row spoil the others', async () => {
    const { call, serving } = await createTestApp();
    const problems = [{ field: 'features.months', message: 'expected a whole number' }];
    serving.predict.mockResolvedValueOnce([
      answered,
      { ok: false, problems },
      { ...answered, requestId: '2b4e28ba-2fa1-4d3a-883f-0016d3cca427' },
    ]);
    const instances = [row, 'nonsense', { features: { months: 'x' } }, row, { features: {}, more: 1 }];
    const answer = await call('POST', '/predict/batch', { body: { instances }, headers: { 'x-request-id': 'b-1' } });
    expect(answer.status).toBe(200);
    expect(answer.json.request_id).toBe('b-1');
    expect(answer.json.model).toBe('leavers');
    const [first, second, third, fourth, fifth] = answer.json.predictions;
    expect(first.request_id).toBe(REQUEST_ID);
    expect(second).toEqual({ error: 'invalidInput', problems: [{ field: 'instance', message: 'expected an object' }] });
    expect(third).toEqual({ error: 'invalidInput', problems });
    expect(fourth.request_id).toBe('2b4e28ba-2fa1-4d3a-883f-0016d3cca427');
    expect(fifth.problems[0].field).toBe('more');
    expect(serving.predict.mock.calls[0]![1]).toHaveLength(3);
  });

  it.each([[[]], [Array.from({ length: 1001 }, () => row)], ['no list'], [undefined]])(
    'refuses a list of the wrong size (%#)',
    async (instances) => {
      const { call } = await createTestApp();
      const answer = await call('POST', '/predict/batch', { body: { instances } });
      expect(answer.status).toBe(422);
      expect(answer.json.problems[0].field).toBe('instances');
    },
  );
});
