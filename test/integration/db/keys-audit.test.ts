import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KeyRow } from '../../../db/ports.ts';
import { openTestRegistry, type TestRegistry } from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

const newKey = (over: Partial<KeyRow> = {}) => ({
  id: randomUUID(),
  name: 'a key',
  prefix: 'sk_live_abcd',
  hash: randomUUID(),
  permissions: ['predict', 'monitor'] as const,
  tier: 'basic' as const,
  expiresAt: new Date('2030-01-01T00:00:00.123Z'),
  ...over,
});

describe('keys', () => {
  it('creates, lists and revokes; a second revocation keeps the time of the first', async () => {
    const key = newKey({ name: 'life' });
    const stored = await t.registry.keys.create(key, 'ann');
    expect(stored).toMatchObject({ ...key, revokedAt: null });
    expect(await t.registry.keys.list()).toContainEqual(stored);
    expect(await t.registry.keys.revoke(key.id, 'bob')).toBe(true);
    const [revoked] = (await t.registry.keys.list()).filter((k) => k.id === key.id);
    expect(revoked?.revokedAt).toBeInstanceOf(Date);
    expect(await t.registry.keys.revoke(key.id, 'bob')).toBe(true);
    expect((await t.registry.keys.list()).filter((k) => k.id === key.id)).toEqual([revoked]);
    const audit = await t.registry.audit.list({ subject: 'life', limit: 10 });
    expect(audit.map((e) => [e.actor, e.action])).toEqual([
      ['bob', 'key.revoke'],
      ['ann', 'key.create'],
    ]);
    expect(JSON.stringify(audit)).not.toContain(key.hash);
  });

  it('knows no key by an id that is unknown or no id', async () => {
    expect(await t.registry.keys.revoke(randomUUID(), 'bob')).toBe(false);
    expect(await t.registry.keys.revoke('x', 'bob')).toBe(false);
  });

  it('refuses a second key with the same secret, naming neither the secret nor its hash', async () => {
    const key = newKey();
    await t.registry.keys.create(key, 'ann');
    const failure: unknown = await t.registry.keys.create(newKey({ hash: key.hash }), 'ann').catch((e: unknown) => e);
    expect(failure).toMatchObject({ code: 'conflict' });
    expect(JSON.stringify(failure) + (failure as Error).message).not.toContain(key.hash);
  });
});

describe('audit', () => {
  it('lists newest first, by subject, and writes an entry with a change id once', async () => {
    const { audit } = t.registry;
    const entry = { actor: 'ann', action: 'test', subject: 'one', details: { n: 1, nested: { a: [1] } } };
    await audit.write(entry);
    for (let i = 0; i < 3; i++) await audit.write({ ...entry, reason: 'why', changeId: 'the change' });
    await audit.write({ ...entry, subject: 'two' });
    const listed = await audit.list({ subject: 'one', limit: 10 });
    expect(listed).toMatchObject([{ ...entry, reason: 'why', changeId: 'the change' }, entry]);
    expect(listed[1]).not.toHaveProperty('reason');
    expect(await audit.list({ limit: 1 })).toMatchObject([{ subject: 'two' }]);
  });

  it('answers invalidInput for a text that Postgres cannot compare', async () => {
    await expect(t.registry.audit.list({ subject: 'a\u0000', limit: 1 })).rejects.toMatchObject({
      code: 'invalidInput',
    });
  });
});
