import { describe, expect, it, vi } from 'vitest';
import { row } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

const KIB = 1024;

describe('bodies', () => {
  it('are refused with the position when they are not JSON, without being quoted', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/predict', { raw: '{\n "features": {"name": "Jane Doe",}\n}' });
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toBe(
      'The body is not JSON at line 2, column 34: expected a field name in double quotes',
    );
    expect(answer.text).not.toContain('Jane');
  });

  it('are refused when they are empty or not UTF-8', async () => {
    const { call } = await createTestApp();
    expect((await call('POST', '/predict', { raw: '' })).status).toBe(400);
    const bytes = Buffer.concat([Buffer.from('{"features":{"a":"'), Buffer.from([0xff]), Buffer.from('"}}')]);
    const answer = await call('POST', '/predict', { raw: bytes });
    expect(answer.status).toBe(400);
    expect(answer.json.detail).toBe('The body is not UTF-8 text');
  });

  it('may begin with a byte order mark', async () => {
    const { call } = await createTestApp();
    expect((await call('POST', '/predict', { raw: `\ufeff${JSON.stringify(row)}` })).status).toBe(200);
  });

  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/jsonp', 415],
    ['application/json; charset=utf-8', 200],
    ['application/cloudevents+json', 200],
  ])('of type %s are answered with %i', async (type, status) => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/predict', { body: row, headers: { 'content-type': type } });
    expect(answer.status).toBe(status);
  });

  it.each([
    ['/predict', 256 * KIB],
    ['/predict/batch', 4096 * KIB],
    ['/keys', 1024 * KIB],
  ])('of %s are limited to %i bytes', async (path, limit) => {
    const { call } = await createTestApp();
    const fits = await call('POST', path, { raw: `[${' '.repeat(limit - 2)}]` });
    expect(fits.status).toBe(422);
    const larger = await call('POST', path, { raw: `[${' '.repeat(limit - 1)}]` });
    expect(larger.status).toBe(413);
    expect(larger.json.detail).toContain(String(limit));
  });

  it('are refused unread when the declared length is over the limit', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/predict', { raw: '{}', headers: { 'content-length': '1000000000' } });
    expect(answer.status).toBe(413);
  });
});

describe('every answer', () => {
  const paths = ['/predict', '/health', '/openapi.json', '/nowhere', '/metrics', '/keys', '/docs'];

  it.each(paths)('carries the security headers (%s)', async (path) => {
    const { call } = await createTestApp();
    const { headers } = await call('GET', path, { key: null });
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; .*frame-ancestors 'none'/);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
  });

  it.each(paths)('echoes a usable request id and replaces another (%s)', async (path) => {
    const { call } = await createTestApp();
    const echoed = await call('GET', path, { headers: { 'x-request-id': 'order-7.a:b' } });
    expect(echoed.headers.get('x-request-id')).toBe('order-7.a:b');
    const replaced = await call('GET', path, { headers: { 'x-request-id': '<script>' } });
    expect(replaced.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('paths', () => {
  it('that do not exist are 404, other methods 405 with the list', async () => {
    const { call } = await createTestApp();
    expect((await call('GET', '/nowhere')).json).toMatchObject({ status: 404, error: 'notFound' });
    const answer = await call('DELETE', '/models/leavers');
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET');
    expect((await call('PUT', '/models')).headers.get('allow')).toBe('GET, POST');
  });

  it('refuse unknown query parameters by name', async () => {
    const { call } = await createTestApp();
    const answer = await call('GET', '/rollouts?limt=3');
    expect(answer.status).toBe(422);
    expect(answer.json.problems[0].field).toBe('limt');
    expect((await call('GET', '/rollouts?limit=0')).status).toBe(422);
    expect((await call('GET', '/rollouts?limit=many')).status).toBe(422);
  });
});

describe('defects', () => {
  it('are answered without their cause, which goes to the log', async () => {
    const { call, registry, log } = await createTestApp();
    registry.models.list = vi.fn().mockRejectedValue(new Error('secret internals'));
    const answer = await call('GET', '/models');
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain('secret');
    expect(answer.json.request_id).toBe(answer.headers.get('x-request-id'));
    expect(log.error).toHaveBeenCalledOnce();
  });
});
