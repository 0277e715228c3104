import { describe, expect, it } from 'vitest';
import type { RateTier } from '../../../../domain/rate-tier.ts';
import { row } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

async function withKey(tier: RateTier) {
  const app = await createTestApp();
  const made = await app.call('POST', '/keys', { body: { name: 'x', permissions: ['predict', 'monitor'], tier } });
  const { key } = made.json as { key: string };
  return { ...app, key };
}

describe('a key with a limit', () => {
  it('gets so many rows, then 429 with the time to wait', async () => {
    const { call, key, metrics } = await withKey('free');
    for (let i = 0; i < 100; i += 1) {
      const answer = await call('POST', '/predict', { key, body: row });
      expect(answer.status).toBe(200);
      expect(answer.headers.get('x-ratelimit-remaining')).toBe(String(99 - i));
    }
    const refused = await call('POST', '/predict', { key, body: row });
    expect(refused.status).toBe(429);
    expect(refused.json).toMatchObject({ error: 'rateLimited', title: 'Too much asked for now' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(30);
    expect(refused.headers.get('ratelimit')).toMatch(/^"hour";r=0;t=3[56]\d\d$/);
    expect(await metrics.text()).toContain('rate_limit_exceeded_total{tier="free"} 1');
  });

  it('pays for each row of a batch, all or none', async () => {
    const { call, key, serving } = await withKey('free');
    const batch = (rows: number) => ({ key, body: { instances: Array.from({ length: rows }, () => row) } });
    const answer = await call('POST', '/predict/batch', batch(60));
    expect(answer.headers.get('x-ratelimit-remaining')).toBe('40');
    expect((await call('POST', '/predict/batch', batch(60))).status).toBe(429);
    expect(serving.predict).toHaveBeenCalledTimes(1);
    // The refused one cost a row.
    expect((await call('POST', '/predict/batch', batch(39))).status).toBe(200);
    expect((await call('POST', '/predict', { key, body: row })).status).toBe(429);
  });

  it('is told when a batch can never fit', async () => {
    const { call, key } = await withKey('free');
    const body = { instances: Array.from({ length: 102 }, () => row) };
    const refused = await call('POST', '/predict/batch', { key, body });
    expect(refused.status).toBe(422);
    expect(refused.text).toContain('send 100 rows at most');
  });

  it('pays for what turns out to be no prediction, too', async () => {
    const { call, key } = await withKey('free');
    for (let i = 0; i < 100; i += 1) expect((await call('POST', '/predict', { key, raw: '{' })).status).toBe(400);
    expect((await call('POST', '/predict', { key, raw: '{' })).status).toBe(429);
  });

  it('still reads and reports when its rows are used up', async () => {
    const { call, key } = await withKey('free');
    for (let i = 0; i < 101; i += 1) await call('POST', '/predict', { key, body: row });
    expect((await call('GET', '/models', { key })).status).toBe(200);
    expect(
      (await call('POST', '/feedback', { key, body: { entity_id: 'a', model: 'leavers', label: 'yes' } })).status,
    ).toBe(200);
  });

  it('shares nothing with other keys, and unlimited ones hear of no limit', async () => {
    const { call, key } = await withKey('free');
    for (let i = 0; i < 101; i += 1) await call('POST', '/predict', { key, body: row });
    const other = await call('POST', '/predict', { key: 'predict', body: row });
    expect(other.status).toBe(200);
    expect([...other.headers.keys()].filter((name) => name.includes('ratelimit'))).toEqual([]);
  });
});
