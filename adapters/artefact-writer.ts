import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Digest } from '../domain/artefacts.ts';
import { DomainError } from '../domain/errors.ts';

const DIGEST = /^[0-9a-f]{64}$/;
/** Written by nobody afterwards: content never changes under its name. */
const FILE_MODE = 0o444;
/** A file still being written is younger; an older one was left by a process that died. */
const ABANDONED_AFTER_MS = 3_600_000;

/** Where an artefact lies. Also the fence against paths: only hex digits become part of a file's name. */
export function artefactPath(dir: string, digest: Digest): string {
  if (!DIGEST.test(digest)) throw new DomainError('invalidInput', 'An artefact is named by 64 lower-case hex digits');
  return join(dir, digest.slice(0, 2), digest);
}

/** Stores what a callback writes into a new file under the digest it returns. */
type ArtefactWriter = (write: (file: FileHandle) => Promise<Digest>) => Promise<Digest>;

/** Writes to the side, flushes and renames: a file under a digest's name is complete. Removes its file on failure. */
export function createArtefactWriter(dir: string): ArtefactWriter {
  const incoming = join(dir, 'incoming');
  let prepared: Promise<void> | null = null;
  /** Once per process; again after a failure. */
  const prepare = (): Promise<void> => {
    prepared ??= prepareFolder(incoming).catch((error: unknown) => {
      prepared = null;
      throw error;
    });
    return prepared;
  };
  return async (write) => {
    await prepare();
    const temporary = join(incoming, randomUUID());
    try {
      const digest = await writeFlushed(temporary, write);
      const path = artefactPath(dir, digest);
      await mkdir(dirname(path), { recursive: true });
      // Replaces what is there: the same content, or a copy that has rotted.
      await rename(temporary, path);
      await syncFolder(dirname(path));
      return digest;
    } catch (error) {
      // Somebody may have removed the folder: the next write makes it again.
      prepared = null;
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  };
}

async function writeFlushed(path: string, write: (file: FileHandle) => Promise<Digest>): Promise<Digest> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    const digest = await write(file);
    await file.sync();
    return digest;
  } finally {
    await file.close();
  }
}

/** Makes the folder and removes what writers that died left in it. */
async function prepareFolder(incoming: string): Promise<void> {
  await mkdir(incoming, { recursive: true });
  const oldest = Date.now() - ABANDONED_AFTER_MS;
  for (const name of await readdir(incoming)) {
    const path = join(incoming, name);
    // Another process may tidy up at the same time.
    const found = await stat(path).catch(() => null);
    if (found !== null && found.mtimeMs < oldest) await rm(path, { force: true });
  }
}

/** A renamed file survives a power cut only when its folder is flushed too. Not every system can: Windows refuses. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  if (folder === null) return;
  await folder.sync().catch(() => undefined);
  await folder.close();
}
