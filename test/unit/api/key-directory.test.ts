import { describe, expect, it, vi } from 'vitest';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import { KEY_REFRESH_MS, createKeyDirectory, isAllowed } from '../../../api/security/key-directory.ts';
import type { KeyRow } from '../../../db/ports.ts';

function setUp() {
  let rows: KeyRow[] = [];
  let nowMs = 1_000_000;
  let failing = false;
  const states: boolean[] = [];
  const list = vi.fn(() => (failing ? Promise.reject(new Error('the database is away')) : Promise.resolve(rows)));
  const directory = createKeyDirectory({
    keys: { list },
    now: () => nowMs,
    onStateChange: ({ ok }) => states.push(ok),
  });
  const add = (change: Partial<KeyRow> = {}) => {
    const { key, row } = createApiKey('crm', ['predict']);
    rows = [...rows, { ...row, createdAt: new Date(nowMs), revokedAt: null, ...change }];
    return key;
  };
  return {
    directory,
    list,
    states,
    add,
    change: (edit: (row: KeyRow) => KeyRow) => (rows = rows.map(edit)),
    fail: (value: boolean) => (failing = value),
    advance: (ms: number) => (nowMs += ms),
  };
}

describe('the key directory', () => {
  it('knows nothing before its first load, and refuses mistyped keys even then', () => {
    const { directory, add } = setUp();
    expect(directory.check(add())).toEqual({ kind: 'notLoaded' });
    expect(directory.check('sk_live_nonsense')).toEqual({ kind: 'malformed' });
    expect(directory.status()).toEqual({ keys: 0, ageMs: null });
  });

  it('tells valid, unknown, revoked and expired keys apart', async () => {
    const { directory, add, advance } = setUp();
    const valid = add();
    const revoked = add({ revokedAt: new Date(1) });
    const expiring = add({ expiresAt: new Date(1_000_500) });
    await directory.refresh();
    expect(directory.check(valid)).toMatchObject({ kind: 'valid', principal: { name: 'crm' } });
    expect(directory.check(revoked)).toEqual({ kind: 'revoked' });
    expect(directory.check(expiring).kind).toBe('valid');
    advance(500);
    expect(directory.check(expiring)).toEqual({ kind: 'expired' });
    expect(directory.check(createApiKey('x', ['admin']).key)).toEqual({ kind: 'unknown' });
  });

  it('follows the store by polling, and keeps the last keys while the store is away', async () => {
    vi.useFakeTimers();
    try {
      const { directory, add, change, fail, states } = setUp();
      const key = add();
      const stop = directory.start();
      await vi.advanceTimersByTimeAsync(0);
      expect(directory.check(key).kind).toBe('valid');
      fail(true);
      change((row) => ({ ...row, revokedAt: new Date(2) }));
      await vi.advanceTimersByTimeAsync(KEY_REFRESH_MS * 3);
      expect(directory.check(key).kind).toBe('valid');
      fail(false);
      await vi.advanceTimersByTimeAsync(KEY_REFRESH_MS);
      expect(directory.check(key)).toEqual({ kind: 'revoked' });
      expect(states).toEqual([true, false, true]);
      stop();
    } finally {
      vi.useRealTimers();
    }
  });

  it('asks no more once it is stopped', async () => {
    vi.useFakeTimers();
    try {
      const { directory, list } = setUp();
      directory.start()();
      await vi.advanceTimersByTimeAsync(KEY_REFRESH_MS * 5);
      expect(list).toHaveBeenCalledTimes(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('permissions', () => {
  it('admin implies all, the others only themselves', () => {
    const holder = (permission: 'predict' | 'monitor' | 'admin') => ({
      keyId: '1',
      name: 'x',
      permissions: [permission],
      tier: 'unlimited' as const,
      roles: [],
    });
    const all = ['predict', 'monitor', 'admin'] as const;
    expect(all.filter((p) => isAllowed(holder('admin'), p))).toEqual(['predict', 'monitor', 'admin']);
    expect(all.filter((p) => isAllowed(holder('predict'), p))).toEqual(['predict']);
    expect(all.filter((p) => isAllowed(holder('monitor'), p))).toEqual(['monitor']);
  });
});
