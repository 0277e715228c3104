import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type * as FileSystem from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import type { ArtefactStore } from '../../../domain/artefacts.ts';

/** Bytes after which the disk is full; `null`: never. */
let diskBytes: number | null = null;
let renameFailure: string | null = null;
vi.mock('node:fs/promises', async (original) => {
  const actual = await original<typeof FileSystem>();
  const failure = (code: string) => Object.assign(new Error(`${code}: as planted`), { code });
  return {
    ...actual,
    rename: (...args: Parameters<typeof actual.rename>) =>
      renameFailure === null ? actual.rename(...args) : Promise.reject(failure(renameFailure)),
    open: async (...args: Parameters<typeof actual.open>) => {
      const handle = await actual.open(...args);
      const write = handle.writeFile.bind(handle);
      let written = 0;
      handle.writeFile = async (data) => {
        const bytes = data as Uint8Array;
        written += bytes.byteLength;
        if (diskBytes === null || written <= diskBytes) return write(bytes);
        await write(bytes.subarray(0, 10));
        throw failure('ENOSPC');
      };
      return handle;
    },
  };
});

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const pathIn = (dir: string, digest: string) => join(dir, digest.slice(0, 2), digest);
const filesIn = (dir: string) =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((e) => e.isFile())
    .map((e) => e.name);

let dir: string;
let store: ArtefactStore;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-artefacts-'));
  store = createFolderArtefactStore(dir);
});
afterEach(() => {
  diskBytes = null;
  renameFailure = null;
  rmSync(dir, { recursive: true, force: true });
});

describe('createFolderArtefactStore', () => {
  it('gives back any bytes under their SHA-256, from memory and from a file', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2_000 }), async (bytes) => {
        const digest = await store.put(bytes);
        expect(digest).toBe(sha256(bytes));
        expect(Buffer.compare(await store.read(digest), bytes)).toBe(0);
        const source = join(dir, 'source');
        writeFileSync(source, bytes);
        expect(await store.putFile(source)).toEqual({ digest, bytes: bytes.byteLength });
      }),
      { numRuns: 30 },
    );
  });

  it('streams a file of several chunks', async () => {
    const bytes = randomBytes(3 * 1024 * 1024 + 17);
    writeFileSync(join(dir, 'source'), bytes);
    const { digest, bytes: size } = await store.putFile(join(dir, 'source'));
    expect({ digest, size }).toEqual({ digest: sha256(bytes), size: bytes.byteLength });
    expect(Buffer.compare(await store.read(digest), bytes)).toBe(0);
    expect(await store.localPath(digest)).toBe(pathIn(dir, digest));
  });

  it('leaves one read-only file per content, and nothing beside it', async () => {
    const [a, b] = await Promise.all([store.put(Buffer.from('x')), store.put(Buffer.from('x'))]);
    expect(a).toBe(b);
    expect(filesIn(dir)).toEqual([a]);
    expect(statSync(pathIn(dir, a)).mode & 0o777).toBe(0o444);
  });

  it('says whether it has a content', async () => {
    const digest = await store.put(Buffer.from('x'));
    expect(await store.has(digest)).toBe(true);
    expect(await store.has(sha256(Buffer.from('y')))).toBe(false);
  });

  it('answers notFound for a content it does not have', async () => {
    const absent = sha256(Buffer.from('absent'));
    await expect(store.read(absent)).rejects.toMatchObject({ code: 'notFound' });
    await expect(store.localPath(absent)).rejects.toMatchObject({ code: 'notFound' });
  });

  it.each(['', '../../etc/passwd', 'a'.repeat(63), 'A'.repeat(64), `${'a'.repeat(62)}/x`, `${'a'.repeat(64)}\n`])(
    'refuses %j as a digest before it touches a file',
    async (digest) => {
      for (const use of ['read', 'has', 'localPath'] as const) {
        await expect(store[use](digest)).rejects.toMatchObject({ code: 'invalidInput' });
      }
    },
  );

  it('answers artefactCorrupt for a flipped byte, a cut file and an empty one', async () => {
    for (const damage of [
      (path: string) => writeFileSync(path, 'hellp'),
      (path: string) => truncateSync(path, 3),
      (path: string) => truncateSync(path, 0),
    ]) {
      const digest = await store.put(Buffer.from('hello'));
      chmodSync(pathIn(dir, digest), 0o644);
      damage(pathIn(dir, digest));
      await expect(store.read(digest)).rejects.toMatchObject({ code: 'artefactCorrupt' });
      await expect(store.localPath(digest)).rejects.toMatchObject({ code: 'artefactCorrupt' });
      // Storing the content again heals it.
      await store.put(Buffer.from('hello'));
      expect(await store.localPath(digest)).toBe(pathIn(dir, digest));
      store = createFolderArtefactStore(dir);
    }
  });

  it('verifies a local path once per process, and misses it when it is gone', async () => {
    const digest = await store.put(Buffer.from('hello'));
    await store.localPath(digest);
    rmSync(pathIn(dir, digest));
    await expect(store.localPath(digest)).rejects.toMatchObject({ code: 'notFound' });
  });

  it('leaves no file behind when the disk fills up, says so, and works again once there is room', async () => {
    diskBytes = 1_500_000;
    const bytes = randomBytes(3 * 1024 * 1024);
    const source = join(dir, 'source');
    writeFileSync(source, bytes);
    for (const attempt of [() => store.put(bytes), () => store.putFile(source)]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'unavailable', message: /the disk is full \(ENOSPC\)/ });
    }
    expect(filesIn(dir)).toEqual(['source']);
    expect(await store.has(sha256(bytes))).toBe(false);
    diskBytes = null;
    expect(await store.put(bytes)).toBe(sha256(bytes));
  });

  it('leaves no file behind when the rename fails', async () => {
    renameFailure = 'EIO';
    await expect(store.put(Buffer.from('x'))).rejects.toMatchObject({ code: 'unavailable' });
    expect(filesIn(dir)).toEqual([]);
  });

  it('removes what a process that died left, but not what another one is writing', async () => {
    const incoming = join(dir, 'incoming');
    await mkdir(incoming);
    writeFileSync(join(incoming, 'old'), 'x');
    writeFileSync(join(incoming, 'fresh'), 'x');
    const yesterday = new Date(Date.now() - 86_400_000);
    utimesSync(join(incoming, 'old'), yesterday, yesterday);
    await store.put(Buffer.from('y'));
    expect(readdirSync(incoming)).toEqual(['fresh']);
  });

  it('makes its folder again when somebody removed it', async () => {
    await store.put(Buffer.from('a'));
    rmSync(dir, { recursive: true });
    await store.put(Buffer.from('b')).catch(() => undefined);
    expect(await store.put(Buffer.from('b'))).toBe(sha256(Buffer.from('b')));
  });
});
