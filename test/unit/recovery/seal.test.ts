import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  newIdentity,
  newWrappedKey,
  readIdentities,
  requireRecipients,
  unwrapKey,
} from '../../../recovery/vault/keys.ts';
import { packed, unpacked } from '../../../recovery/vault/file-content.ts';
import { CHUNK_BYTES, seal, unseal } from '../../../recovery/vault/seal.ts';
import { inChunks, readAll } from './vault-world.ts';

const key = randomBytes(32);
const sealed = (content: Buffer, name = 'a'): Promise<Buffer> =>
  readAll(seal(inChunks(content), { name, key, compression: 'none' }));
const opened = (stored: Buffer, name = 'a', by = key): Promise<Buffer> =>
  readAll(unseal(inChunks(stored), name, { keyFor: () => Promise.resolve(by) }));
const damaged = { code: 'artefactCorrupt' };

/** Parts of an envelope: its head and each chunk with its length. */
function partsOf(stored: Buffer): { readonly head: Buffer; readonly chunks: readonly Buffer[] } {
  let at = 12 + stored.readUInt32BE(8);
  const head = stored.subarray(0, at);
  const chunks: Buffer[] = [];
  while (at < stored.byteLength) {
    const length = 4 + (stored.readUInt32BE(at) & 0x7fff_ffff);
    chunks.push(stored.subarray(at, at + length));
    at += length;
  }
  return { head, chunks };
}

describe('a sealed file', () => {
  it('opens to what went in, at every length around the size of a chunk', async () => {
    for (const bytes of [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]) {
      const content = randomBytes(bytes);
      expect((await opened(await sealed(content))).equals(content)).toBe(true);
    }
  });

  it('comes back whatever it holds and however it arrives', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 5_000 }),
        fc.integer({ min: 1, max: 999 }),
        fc.constantFrom('gzip' as const, 'none' as const),
        async (content, chunkBytes, compression) => {
          const stored = await readAll(
            packed(inChunks(Buffer.from(content)), { name: 'n', key, compression }, () => undefined),
          );
          const back = await readAll(unpacked(inChunks(stored, chunkBytes), 'n', () => Promise.resolve(key)));
          expect(back.equals(Buffer.from(content))).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('does not open when any one byte of it was changed', async () => {
    const stored = await sealed(randomBytes(2_000));
    for (let at = 0; at < stored.byteLength; at += at < 300 ? 1 : 37) {
      const changed = Buffer.from(stored);
      changed[at]! ^= 1;
      await expect(opened(changed), `byte ${at}`).rejects.toMatchObject(damaged);
    }
  });

  it('does not open with chunks left out, moved, repeated, cut off or appended', async () => {
    const { head, chunks } = partsOf(await sealed(randomBytes(2 * CHUNK_BYTES + 500)));
    const [one = head, two = head, last = head] = chunks;
    expect(chunks).toHaveLength(3);
    // As if the second were the last one.
    const ended = Buffer.from(two);
    ended.writeUInt32BE((ended.readUInt32BE(0) | 0x8000_0000) >>> 0);
    const wrong = [
      [one, two],
      [one, last],
      [two, one, last],
      [one, one, two, last],
      [one, ended],
      [one, two, last, last],
      [],
    ];
    for (const parts of wrong) await expect(opened(Buffer.concat([head, ...parts]))).rejects.toMatchObject(damaged);
    expect((await opened(Buffer.concat([head, one, two, last]))).byteLength).toBe(2 * CHUNK_BYTES + 500);
  });

  it('does not open under another name or with another key', async () => {
    const stored = await sealed(randomBytes(10), 'set-a/base.tar');
    await expect(opened(stored, 'set-b/base.tar')).rejects.toMatchObject(damaged);
    await expect(opened(stored, 'set-a/base.tar', randomBytes(32))).rejects.toMatchObject(damaged);
  });
});

describe('the key of a set', () => {
  it('opens for each of its recipients, and for nobody else', async () => {
    const [a, b, c] = await Promise.all([newIdentity(), newIdentity(), newIdentity()]);
    const recipients = [a.recipient, b.recipient];
    const { key: random, wrapped } = await newWrappedKey(recipients);
    for (const { identity } of [a, b]) {
      expect((await unwrapKey(wrapped, [c.identity, identity], recipients)).equals(random)).toBe(true);
    }
    const refused = unwrapKey(wrapped, [c.identity], recipients);
    await expect(refused).rejects.toMatchObject({ code: 'refused' });
    await expect(refused).rejects.toThrow(c.recipient);
    await expect(unwrapKey(wrapped, [], recipients)).rejects.toThrow('no identity is given');
  });

  it('is refused for what is no recipient, without repeating a secret given by mistake', async () => {
    const { identity, recipient } = await newIdentity();
    expect(() => requireRecipients([recipient])).not.toThrow();
    for (const wrong of [identity, 'age1short', 'ssh-ed25519 AAAA']) {
      try {
        requireRecipients([wrong]);
        expect.unreachable();
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalidInput' });
        expect(JSON.stringify(error)).not.toContain(identity);
      }
    }
    expect(readIdentities(`# created: today\n# public key: ${recipient}\n${identity}\n`)).toEqual([identity]);
    expect(() => readIdentities(recipient)).toThrow('identity');
  });
});
