import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { CONTENT_LIMIT_BYTES } from '../../../../api/protocols/request-content.ts';
import { presentedKey } from '../../../../api/security/presented-key.ts';
import { createTestApp } from '../support/test-app.ts';
import { row } from '../support/samples.ts';

const body = Buffer.from(JSON.stringify({ instances: [row.features] }));

async function send(raw: Uint8Array, encoding: string) {
  const { call, serving } = await createTestApp();
  const answer = await call('POST', '/v1/models/leavers:predict', { raw, headers: { 'content-encoding': encoding } });
  return { answer, serving };
}

describe('a compressed body', () => {
  it.each([
    ['gzip', gzipSync(body)],
    ['deflate', deflateSync(body)],
    ['deflate', deflateRawSync(body)],
    ['identity', body],
    ['GZIP', gzipSync(body)],
  ])('is read (%s)', async (encoding, bytes) => {
    const { answer, serving } = await send(bytes, encoding);
    expect(answer.status).toBe(200);
    expect(serving.predict).toHaveBeenLastCalledWith('leavers', [{ entityId: null, features: row.features }]);
  });

  it.each(['gzip', 'deflate'])('is refused when it inflates beyond the limit (%s)', async (encoding) => {
    const spaces = Buffer.alloc(CONTENT_LIMIT_BYTES + 1, ' ');
    const bomb = encoding === 'gzip' ? gzipSync(spaces) : deflateSync(spaces);
    expect(bomb.byteLength).toBeLessThan(10_000);
    const { answer } = await send(bomb, encoding);
    expect(answer.status).toBe(413);
    expect(answer.json.error).toContain('inflates to more than');
  });

  it.each([
    ['gzip', body, 400],
    ['gzip', gzipSync(body).subarray(0, 20), 400],
    ['deflate', Buffer.from([0xff, 0xff, 0xff]), 400],
    ['gzip', Buffer.alloc(0), 400],
    ['br', body, 415],
    ['gzip, gzip', gzipSync(gzipSync(body)), 415],
  ])('is refused when it is not what it says (%s)', async (encoding, bytes, status) => {
    const { answer } = await send(bytes, encoding);
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.json.error).toEqual(expect.any(String));
  });
});

describe('the key of a request', () => {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  it.each([
    [{ 'x-api-key': 'k' }, 'k'],
    [{ authorization: 'Bearer k' }, 'k'],
    [{ authorization: 'bearer k' }, 'k'],
    [{ authorization: basic('k:') }, 'k'],
    [{ authorization: basic('user:k') }, 'k'],
    [{ authorization: basic('k') }, 'k'],
    [{ 'x-api-key': '', authorization: 'Bearer k' }, 'k'],
    [{ 'x-api-key': 'a', authorization: 'Bearer b' }, 'a'],
    [{ authorization: 'Bearer' }, null],
    [{ authorization: 'Digest k' }, null],
    [{ authorization: basic(':') }, null],
    [{}, null],
  ])('of %j is %s', (headers: Record<string, string>, key) => {
    expect(presentedKey((name) => headers[name])).toBe(key);
  });

  it('opens a protocol and the native routes alike', async () => {
    const { call, keyOf } = await createTestApp();
    const headers = { authorization: `Bearer ${keyOf.predict}` };
    expect((await call('GET', '/v1/models', { key: null, headers })).status).toBe(200);
    expect((await call('POST', '/predict', { key: null, headers, body: row })).status).toBe(200);
    expect((await call('GET', '/v1/models', { key: null, headers: { authorization: 'Bearer nonsense' } })).status).toBe(
      401,
    );
  });
});
