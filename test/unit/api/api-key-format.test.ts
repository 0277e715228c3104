import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createApiKey, hashApiKey, isWellFormedApiKey } from '../../../api/security/api-key-format.ts';

describe('api keys', () => {
  it('have the documented form and pass their own check', () => {
    for (let i = 0; i < 50; i += 1) {
      const { key, row } = createApiKey('crm', ['predict']);
      expect(key).toMatch(/^sk_live_[0-9A-Za-z]{36}$/);
      expect(isWellFormedApiKey(key)).toBe(true);
      expect(row.hash).toBe(hashApiKey(key));
      expect(key.startsWith(row.prefix)).toBe(true);
      expect(row.prefix).toHaveLength(12);
      expect(JSON.stringify(row)).not.toContain(key.slice(12));
    }
  });

  it('accept a key with a known checksum', () => {
    // CRC-32 of `sk_live_` and 30 zeros by Python: zlib.crc32(b'sk_live_' + b'0' * 30), in base 62.
    expect(isWellFormedApiKey(`sk_live_${'0'.repeat(30)}1yMVfD`)).toBe(true);
  });

  it('differ from draw to draw', () => {
    const keys = new Set(Array.from({ length: 200 }, () => createApiKey('a', ['admin']).key));
    expect(keys.size).toBe(200);
  });

  it('are refused after any change of one character', () => {
    const { key } = createApiKey('crm', ['predict']);
    fc.assert(
      fc.property(fc.nat(key.length - 1), fc.constantFrom('0', 'a', 'Z', '_', '-', '€'), (at, char) => {
        fc.pre(key[at] !== char);
        expect(isWellFormedApiKey(key.slice(0, at) + char + key.slice(at + 1))).toBe(false);
      }),
    );
  });
});
