import { describe, expect, it, vi } from 'vitest';
import { createTestApp } from './support/test-app.ts';

describe('keys', () => {
  it('are made, work at once, are listed without their secret, and end at once', async () => {
    const { call, world } = await createTestApp();
    const made = await call('POST', '/keys', { body: { name: ' crm ', permissions: ['predict', 'predict'] } });
    expect(made.status).toBe(201);
    expect(made.json).toMatchObject({ name: 'crm', permissions: ['predict'], tier: 'unlimited', expires_at: null });
    const { key, id } = made.json as { key: string; id: string };
    expect((await call('POST', '/predict', { key, body: { features: {} } })).status).toBe(200);

    const list = await call('GET', '/keys');
    expect(list.text).not.toContain(key);
    expect(list.text).not.toContain(world.keys.at(-1)!.hash);

    expect((await call('DELETE', `/keys/${id}`)).status).toBe(204);
    expect((await call('POST', '/predict', { key, body: { features: {} } })).status).toBe(401);
    expect((await call('DELETE', `/keys/${id}`)).status).toBe(204);
  });

  it('may end by themselves, but not in the past', async () => {
    const { call, world } = await createTestApp();
    const body = { name: 'x', permissions: ['monitor'], expires_at: '2026-03-02T14:00:00+02:00' };
    expect((await call('POST', '/keys', { body })).json.expires_at).toBe('2026-03-02T12:00:00.000Z');
    const past = { ...body, expires_at: '2026-03-01T11:59:00Z' };
    expect((await call('POST', '/keys', { body: past })).status).toBe(422);
    expect(world.keys).toHaveLength(4);
  });

  it('have the tier asked for', async () => {
    const { call } = await createTestApp();
    const body = { name: 'x', permissions: ['predict'], tier: 'basic' };
    expect((await call('POST', '/keys', { body })).json.tier).toBe('basic');
    const list = (await call('GET', '/keys')).json.keys as { name: string; tier: string }[];
    expect(list.map((k) => k.tier)).toEqual(['unlimited', 'unlimited', 'unlimited', 'basic']);
    expect((await call('POST', '/keys', { body: { ...body, tier: 'gold' } })).status).toBe(422);
  });

  it.each([
    { name: 'x' },
    { name: '', permissions: ['predict'] },
    { name: 'x', permissions: [] },
    { name: 'x', permissions: ['root'] },
    { name: 'x', permissions: ['predict'], expires_at: 'tomorrow' },
  ])('are refused for %j', async (body) => {
    const { call } = await createTestApp();
    expect((await call('POST', '/keys', { body })).status).toBe(422);
  });

  it('cannot all be revoked: one admin remains', async () => {
    const { call, world } = await createTestApp();
    const admin = world.keys.find((k) => k.permissions.includes('admin'))!;
    const answer = await call('DELETE', `/keys/${admin.id}`);
    expect(answer.status).toBe(409);
    await call('POST', '/keys', { body: { name: 'second', permissions: ['admin'] } });
    expect((await call('DELETE', `/keys/${admin.id}`)).status).toBe(204);
  });

  it('that are not there are 404', async () => {
    const { call } = await createTestApp();
    expect((await call('DELETE', '/keys/nothing')).status).toBe(404);
  });

  it('made while the list cannot be read again are still answered: the poll brings them', async () => {
    const { call, registry, log } = await createTestApp();
    registry.keys.list = vi.fn().mockRejectedValue(new Error('away'));
    const answer = await call('POST', '/keys', { body: { name: 'x', permissions: ['predict'] } });
    expect(answer.status).toBe(201);
    expect(log.warn).toHaveBeenCalledOnce();
  });
});

describe('the audit', () => {
  it('is listed by subject', async () => {
    const { call, world } = await createTestApp();
    world.audit = [
      { actor: 'key:a', action: 'rollout.abort', subject: 'leavers', reason: 'r', details: { n: 1 }, at: new Date(0) },
      { actor: 'key:b', action: 'model.apply', subject: 'other', details: {}, at: new Date(1) },
    ];
    const { json } = await call('GET', '/audit?subject=leavers', { key: 'monitor' });
    expect(json.entries).toEqual([
      {
        at: '1970-01-01T00:00:00.000Z',
        actor: 'key:a',
        action: 'rollout.abort',
        subject: 'leavers',
        reason: 'r',
        details: { n: 1 },
      },
    ]);
    expect((await call('GET', '/audit')).json.entries).toHaveLength(2);
  });
});
