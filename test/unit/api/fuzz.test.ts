import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestApp } from './support/test-app.ts';

const ID = '6f1d9f0e-8f5b-4d7e-9a59-0c6f6e8f2b11';
const POSTS = [
  '/predict',
  '/predict/batch',
  '/models/leavers/predict',
  '/feedback',
  '/models',
  '/models/leavers/train',
  '/rollouts',
  '/rollouts/leavers/pause',
  `/rollouts/${ID}/rollback`,
  '/keys',
];

/** Bodies that get past the first check more often than any JSON would. */
const known = fc.constantFrom(
  ...['model', 'entity_id', 'features', 'instances', 'request_id', 'label', 'occurred_at', 'definition', 'seed'],
  ...['algorithms', 'rollout', 'version', 'strategy', 'plan', 'reason', 'name', 'permissions', 'expires_at', 'steps'],
);
const value = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>('leavers', 1, 2, -1, 1e308, ID, '2026-03-01T00:00:00Z', ['predict'], {}, [], [{}], 'yes'),
  fc.dictionary(known, fc.jsonValue()),
  fc.array(fc.dictionary(known, fc.jsonValue()), { maxLength: 3 }),
);
const body = fc.oneof(fc.jsonValue(), fc.dictionary(known, value));

describe('whatever is sent', () => {
  it.each(POSTS)('POST %s never answers with a 5xx, and always as documented', async (path) => {
    const { call } = await createTestApp();
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const { status } = await call('POST', path, { raw: JSON.stringify(sent) });
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 150 },
    );
  });

  it('bytes that are no JSON are a 4xx', async () => {
    const { call } = await createTestApp();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1 }), async (bytes) => {
        const { status } = await call('POST', '/predict', { raw: bytes });
        expect(status).toBeGreaterThanOrEqual(400);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });

  it('paths and queries are answered without a 5xx', async () => {
    const { call } = await createTestApp();
    const segment = fc.oneof(
      fc.string({ maxLength: 20 }).map(encodeURIComponent),
      fc.constantFrom('models', 'rollouts', 'keys', 'docs', 'leavers', 'versions', ID, '%ff', '%00', '..', '%2e%2e'),
    );
    const path = fc.array(segment, { minLength: 1, maxLength: 4 }).map((s) => `/${s.join('/')}`);
    const query = fc.oneof(
      fc.constant(''),
      fc.webQueryParameters().map((q) => `?${q}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('GET', 'POST', 'DELETE'), path, query, async (method, p, q) => {
        const { status } = await call(method, p + q);
        expect(status).toBeLessThan(500);
      }),
      { numRuns: 400 },
    );
  });
});
