import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { ArtefactStore, Digest } from '../domain/artefacts.ts';
import { DomainError } from '../domain/errors.ts';
import { artefactPath, createArtefactWriter } from './artefact-writer.ts';

/** Bytes hashed and written at a time when a file is stored. */
const CHUNK_BYTES = 1024 * 1024;
/** Remembered verifications; forgotten all at once when there are more, and then verified again. */
const VERIFIED_MAX = 10_000;

/**
 * Artefacts as files `<dir>/<first two digits>/<digest>`. Every write goes to `<dir>/incoming` on the same file
 * system, is flushed and renamed, so that a crash or a full disk leaves no half file under a digest's name.
 * All methods throw `DomainError`: `invalidInput` (no digest), `notFound`, `artefactCorrupt`, `unavailable` (disk).
 */
export function createFolderArtefactStore(dir: string): ArtefactStore {
  const verified = new Map<Digest, Promise<string>>();
  const pathOf = (digest: Digest): string => artefactPath(dir, digest);
  const store = createArtefactWriter(dir);
  const verify = async (digest: Digest): Promise<string> => {
    const path = pathOf(digest);
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) hash.update(chunk as Buffer);
    requireDigest(digest, hash.digest('hex'));
    return path;
  };

  return {
    put: (bytes) =>
      translated(null, () =>
        store(async (file) => {
          await file.writeFile(bytes);
          return createHash('sha256').update(bytes).digest('hex');
        }),
      ),
    putFile: (source) =>
      translated(null, async () => {
        let size = 0;
        const digest = await store(async (file) => {
          const hash = createHash('sha256');
          for await (const chunk of createReadStream(source, { highWaterMark: CHUNK_BYTES })) {
            const bytes = chunk as Buffer;
            hash.update(bytes);
            size += bytes.byteLength;
            // Unlike `write`, writes all of them, at the file's position.
            await file.writeFile(bytes);
          }
          return hash.digest('hex');
        });
        return { digest, bytes: size };
      }),
    read: (digest) =>
      translated(digest, async () => {
        const bytes = await readFile(pathOf(digest));
        requireDigest(digest, createHash('sha256').update(bytes).digest('hex'));
        return bytes;
      }),
    has: (digest) =>
      translated(digest, async () => {
        const found = await stat(pathOf(digest)).catch((error: unknown) => {
          if (codeOf(error) === 'ENOENT') return null;
          throw error;
        });
        return found?.isFile() ?? false;
      }),
    localPath: (digest) =>
      translated(digest, async () => {
        const path = pathOf(digest);
        // It may have been removed since it was verified.
        await stat(path);
        let verification = verified.get(digest);
        if (verification === undefined) {
          if (verified.size >= VERIFIED_MAX) verified.clear();
          verification = verify(digest);
          verified.set(digest, verification);
          verification.catch(() => verified.delete(digest));
        }
        return await verification;
      }),
  };
}

function requireDigest(expected: Digest, found: Digest): void {
  if (found === expected) return;
  throw new DomainError('artefactCorrupt', `Artefact ${expected} holds other content (digest ${found})`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error';
}

async function translated<T>(digest: Digest | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DomainError) throw error;
    const code = codeOf(error);
    if (code === 'ENOENT' && digest !== null) throw new DomainError('notFound', `There is no artefact ${digest}`);
    const what = digest === null ? 'An artefact cannot be stored' : `Artefact ${digest} cannot be read`;
    throw new DomainError('unavailable', `${what}: ${DISK_FAILURES[code] ?? 'the file system failed'} (${code})`);
  }
}

const DISK_FAILURES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is larger than allowed',
  EROFS: 'the disk is read-only',
  EACCES: 'no permission',
  EMFILE: 'too many open files',
  ENOENT: 'the file or folder is not there',
};
