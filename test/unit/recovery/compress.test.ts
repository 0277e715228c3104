import { createHash, randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compress, decompress } from '../../../recovery/vault/compress.ts';
import { paced } from '../../../recovery/vault/pace.ts';
import { inChunks, readAll } from './vault-world.ts';

const MB = 1024 * 1024;
/** Digests: letters that do not repeat. */
const digests = Buffer.from(
  Array.from({ length: (3 * MB) / 128 }, (_, i) => createHash('sha512').update(String(i)).digest('hex')).join(''),
);
const text = Buffer.alloc(3 * MB, 'the same line over and over\n');

describe('packing', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['a byte', Buffer.from('x')],
    ['more than one block', Buffer.concat([text, digests, randomBytes(100_000), text])],
  ])('of %s is gzip that anybody reads, and comes back', async (_what, content) => {
    const packed = await readAll(compress(inChunks(content, 32_768), 'gzip'));
    expect(gunzipSync(packed).equals(content)).toBe(true);
    expect((await readAll(decompress(inChunks(packed, 10_000), 'gzip', 'x'))).equals(content)).toBe(true);
  });

  it('looks for repetitions where there are some, and only codes where there are none', async () => {
    const sizeOf = async (content: Buffer) => (await readAll(compress(inChunks(content), 'gzip'))).byteLength;
    expect(await sizeOf(text)).toBeLessThan(text.byteLength / 50);
    expect(await sizeOf(digests)).toBeLessThan(digests.byteLength * 0.6);
  });

  it('hands on what its source fails with', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield await Promise.resolve(text);
      throw new Error('the source failed');
    }
    await expect(readAll(compress(failing(), 'gzip'))).rejects.toThrow('the source failed');
  });
});

describe('a pace', () => {
  it('holds a stream back, and lets everything through', async () => {
    const content = randomBytes(200_000);
    const startedMs = performance.now();
    const { signal } = new AbortController();
    const passed = await readAll(paced(inChunks(content, 10_000), 1_000_000, signal));
    expect(passed.equals(content)).toBe(true);
    expect(performance.now() - startedMs).toBeGreaterThan(150);
  });
});
