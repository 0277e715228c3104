import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../../../db/create-registry.ts';
import type { OpenRegistry } from '../../../db/create-registry.ts';
import { openTestRegistry } from '../db/fixture.ts';
import type { TestRegistry } from '../db/fixture.ts';

let t: TestRegistry;
let open: OpenRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
  open = createRegistry(t.databaseUrl);
});
afterAll(async () => {
  await open.close();
  await t.close();
});

const answer = { status: 202, contentType: 'application/json', body: '{"run_id":"1"}', subject: null };
const age = (keyHash: string, seconds: number) =>
  t.sql`update idempotency_keys set started_at = now() - make_interval(secs => ${seconds}) where key_hash = ${keyHash}`;

describe('the table of first answers', () => {
  it('of many that come at once, one is the first', async () => {
    const claims = await Promise.all(Array.from({ length: 8 }, () => open.idempotency.claim('a', 'body')));
    expect(claims.map((c) => c.kind).sort()).toEqual(['first', ...Array.from({ length: 7 }, () => 'inFlight')]);
  });

  it('gives the first answer for a day, and tells another body apart', async () => {
    const claim = await open.idempotency.claim('b', 'body');
    if (claim.kind !== 'first') throw new Error(claim.kind);
    await open.idempotency.settle('b', claim.attempt, answer);
    await age('b', 23 * 3_600);
    expect(await open.idempotency.claim('b', 'body')).toEqual({ kind: 'answered', answer });
    expect(await open.idempotency.claim('b', 'other')).toEqual({ kind: 'otherBody' });
    await age('b', 25 * 3_600);
    expect(await open.idempotency.claim('b', 'other')).toMatchObject({ kind: 'first' });
  });

  it('a key whose process went down is free again after a minute, and its late answer counts no more', async () => {
    const first = await open.idempotency.claim('c', 'body');
    if (first.kind !== 'first') throw new Error(first.kind);
    await age('c', 61);
    expect(await open.idempotency.claim('c', 'body')).toMatchObject({ kind: 'first' });
    await open.idempotency.settle('c', first.attempt, answer);
    expect(await open.idempotency.claim('c', 'body')).toEqual({ kind: 'inFlight' });
  });

  it('old answers go with the next claim', async () => {
    const claim = await open.idempotency.claim('d', 'body');
    if (claim.kind !== 'first') throw new Error(claim.kind);
    await open.idempotency.settle('d', claim.attempt, answer);
    await age('d', 25 * 3_600);
    await open.idempotency.claim('e', 'body');
    expect(await t.sql`select 1 from idempotency_keys where key_hash = 'd'`).toHaveLength(0);
  });

  it('a released key is free at once', async () => {
    const claim = await open.idempotency.claim('f', 'body');
    if (claim.kind !== 'first') throw new Error(claim.kind);
    await open.idempotency.release('f', claim.attempt);
    expect(await open.idempotency.claim('f', 'other')).toMatchObject({ kind: 'first' });
  });
});
