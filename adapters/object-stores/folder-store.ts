import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, rename, rm, rmdir, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import type { ObjectInfo, ObjectStore, PutOptions } from './object-store.ts';

const CHUNK_BYTES = 1024 * 1024;
/** Read by nobody but the platform: a plain set holds every row. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** A file still being written is younger; an older one was left by a process that died. */
const ABANDONED_AFTER_MS = 24 * 3_600_000;
const KEY = /^(?!.*(?:^|\/)\.{1,2}(?:\/|$))[^/\\\0]+(?:\/[^/\\\0]+)*$/;
/** Files on their way lie here, on the same file system as what they become. */
const INCOMING = '.incoming';

/**
 * Objects as files below a folder. A file is written to the side, flushed, and given its name in one step that fails
 * when the name is taken, so `If-None-Match` holds between processes too.
 */
export function createFolderStore(dir: string): ObjectStore {
  const address = `file://${dir}`;
  const pathOf = (key: string): string => {
    if (!KEY.test(key) || key.startsWith(`${INCOMING}/`))
      throw new DomainError('invalidInput', `${key} cannot be the name of an object`);
    return join(dir, key);
  };
  const guarded = <T>(key: string | null, work: () => Promise<T>): Promise<T> => translated(address, key, work);
  return {
    address,
    features: { conditionalPut: true, objectLock: false },
    put: (key, content, options = {}) =>
      guarded(key, async () => {
        const path = pathOf(key);
        if (options.ifNoneMatch === '*' && (await exists(path))) throw taken(key, address);
        const aside = join(dir, INCOMING, randomUUID());
        await prepare(dir);
        try {
          const stored = await write(aside, key, content, options);
          await mkdir(dirname(path), { recursive: true, mode: FOLDER_MODE });
          if (options.ifNoneMatch === '*') await publishOnce(aside, path, key, address);
          else await rename(aside, path);
          await syncFolder(dirname(path));
          return { key, ...stored };
        } finally {
          await rm(aside, { force: true });
        }
      }),
    get: (key, { from = 0, signal } = {}) =>
      guarded(key, async () => {
        const path = pathOf(key);
        const { size } = await stat(path);
        return { bytes: size, content: readFrom(address, key, path, from, signal) };
      }),
    head: (key) =>
      guarded(null, async () => {
        const found = await stat(pathOf(key)).catch(absent);
        return found?.isFile() === true ? { key, bytes: found.size, modifiedAtMs: found.mtimeMs } : null;
      }),
    list: (prefix, { after, signal } = {}) => listFiles(dir, prefix, after ?? '', signal),
    delete: (key) => guarded(key, () => removeFile(dir, pathOf(key))),
    close: () => Promise.resolve(),
  };
}

async function write(
  path: string,
  key: string,
  content: AsyncIterable<Uint8Array>,
  options: PutOptions,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const file = await open(path, 'wx', FILE_MODE);
  try {
    const hash = createHash('sha256');
    let bytes = 0;
    for await (const chunk of content) {
      options.signal?.throwIfAborted();
      hash.update(chunk);
      // Unlike `write`, writes all of it, at the file's position.
      await file.writeFile(chunk);
      bytes += chunk.byteLength;
      options.onProgress?.(bytes);
    }
    const sha256 = hash.digest('hex');
    if (options.sha256 !== undefined && options.sha256 !== sha256) {
      throw new DomainError(
        'artefactCorrupt',
        `${key} is not stored: its content has the digest ${sha256}, not ${options.sha256}`,
      );
    }
    await file.sync();
    return { bytes, sha256 };
  } finally {
    await file.close();
  }
}

/** A hard link is made only when the name is free; file systems without links get an exclusive place-holder. */
async function publishOnce(aside: string, path: string, key: string, address: string): Promise<void> {
  try {
    await link(aside, path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') throw taken(key, address);
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK'].includes(codeOf(error))) throw error;
    const placeholder: FileHandle = await open(path, 'wx', FILE_MODE).catch((reason: unknown) => {
      throw codeOf(reason) === 'EEXIST' ? taken(key, address) : reason;
    });
    await placeholder.close();
    await rename(aside, path);
  }
}

async function* readFrom(
  address: string,
  key: string,
  path: string,
  from: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const stream = createReadStream(path, {
    start: from,
    highWaterMark: CHUNK_BYTES,
    ...(signal === undefined ? {} : { signal }),
  });
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (error) {
    signal?.throwIfAborted();
    throw failure(address, key, error);
  }
}

/** Text order, folder by folder: names are compared with the `/` that a folder's keys go on with. */
async function* listFiles(
  dir: string,
  prefix: string,
  after: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<ObjectInfo> {
  // Only below the deepest folder that the prefix names whole.
  const from = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  yield* walk(dir, from, { prefix, after, signal });
}

interface Wanted {
  readonly prefix: string;
  readonly after: string;
  readonly signal: AbortSignal | undefined;
}

async function* walk(dir: string, folder: string, wanted: Wanted): AsyncGenerator<ObjectInfo> {
  wanted.signal?.throwIfAborted();
  const entries = await readdir(join(dir, folder), { withFileTypes: true }).catch(absent);
  const keys = (entries ?? [])
    .filter((entry) => (entry.isFile() || entry.isDirectory()) && !(folder === '' && entry.name === INCOMING))
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .sort();
  for (const key of keys) {
    if (key.endsWith('/')) {
      const inside = key.startsWith(wanted.prefix) || wanted.prefix.startsWith(key);
      // A folder whose every key comes before is passed over.
      const passed = key < wanted.after && !wanted.after.startsWith(key);
      if (inside && !passed) yield* walk(dir, key, wanted);
    } else if (key.startsWith(wanted.prefix) && key > wanted.after) {
      const found = await stat(join(dir, key)).catch(absent);
      if (found != null) yield { key, bytes: found.size, modifiedAtMs: found.mtimeMs };
    }
  }
}

/** Folders that became empty go too, up to the target's own. */
async function removeFile(dir: string, path: string): Promise<void> {
  await rm(path, { force: true });
  for (let folder = dirname(path); folder.length > dir.length; folder = dirname(folder)) {
    // Refused when something is in it; a writer that finds it gone makes it again.
    const removed = await rmdir(folder).then(
      () => true,
      () => false,
    );
    if (!removed) return;
  }
}

async function prepare(dir: string): Promise<void> {
  const incoming = join(dir, INCOMING);
  await mkdir(incoming, { recursive: true, mode: FOLDER_MODE });
  const oldest = Date.now() - ABANDONED_AFTER_MS;
  for (const name of await readdir(incoming)) {
    const found = await stat(join(incoming, name)).catch(absent);
    if (found != null && found.mtimeMs < oldest) await rm(join(incoming, name), { force: true });
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(absent)) != null;
}

/** A renamed file survives a power cut only when its folder is flushed too. Not every system can. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r').catch(() => null);
  if (folder === null) return;
  await folder.sync().catch(() => undefined);
  await folder.close();
}

function taken(key: string, address: string): DomainError {
  return new DomainError('conflict', `${key} in ${address} is there already`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

function absent(error: unknown): null {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return null;
  throw error;
}

async function translated<T>(address: string, key: string | null, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw failure(address, key, error);
  }
}

function failure(address: string, key: string | null, error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof DomainError || code === '' || code === 'ABORT_ERR') return error;
  if (code === 'ENOENT' && key !== null) return new DomainError('notFound', `There is no ${key} in ${address}`);
  const reason = DISK_FAILURES[code];
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') {
    return new DomainError('forbidden', `${address} does not permit this: ${reason ?? 'no permission'} (${code})`, [
      { field: 'target', message: reason ?? 'no permission', allowed: ['a folder that this user may write'] },
    ]);
  }
  if (code === 'ENOTDIR' || code === 'EEXIST' || code === 'EISDIR') {
    return new DomainError(
      'invalidInput',
      `The backup target ${address} cannot be used: a part of it is a file (${code})`,
      [{ field: 'target', message: 'a part of the path is a file', allowed: ['a folder'] }],
    );
  }
  return new DomainError('unavailable', `${address}: ${reason ?? 'the file system failed'} (${code})`);
}

const DISK_FAILURES: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file is larger than allowed',
  EROFS: 'the disk is read-only',
  EACCES: 'no permission',
  EPERM: 'no permission',
  EMFILE: 'too many open files',
  EIO: 'the disk fails',
  ESTALE: 'the network disk is gone',
};
