import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '../../domain/errors.ts';
import {
  isSetId,
  setTimeMs,
  type Compression,
  type SetEncryption,
  type SetFile,
} from '../../domain/recovery/manifest.ts';
import { availableCompression } from './compress.ts';
import { counted, packed, type Counted } from './file-content.ts';
import { newWrappedKey } from './keys.ts';
import type { SetSink } from './set-sink.ts';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const FACTS = '.facts.json';
/** Longer than a backup may take. */
const ABANDONED_AFTER_MS = 3 * 86_400_000;

/**
 * A set on its way: packed and sealed files in a folder, so that the database is read once however many targets
 * there are, a target that is away for a while holds up nobody, and a killed backup goes on where it was.
 */
export interface StagedSet {
  readonly setId: string;
  readonly compression: Compression;
  readonly encryption: SetEncryption | null;
  readonly sink: (signal: AbortSignal, onProgress?: (bytes: number) => void) => SetSink;
  readonly files: () => Promise<readonly SetFile[]>;
  readonly read: (file: SetFile) => AsyncIterable<Uint8Array>;
  /** JSON of a step that is done, for its next attempt. */
  readonly remember: (step: string, value: unknown) => Promise<void>;
  readonly recall: <T>(step: string) => Promise<T | null>;
  /** Takes files out again whose names begin so. */
  readonly drop: (prefix: string) => Promise<void>;
  readonly clear: () => Promise<void>;
}

interface SetFacts {
  readonly compression: Compression;
  readonly encryption: SetEncryption | null;
  /** Base64. Only while the set is written, beside the database it copies; never in a target. */
  readonly key: string | null;
}

/** Opens the staging folder of a set, made at the first call. */
export async function stageSet(dir: string, setId: string, recipients: readonly string[]): Promise<StagedSet> {
  const folder = join(dir, setId);
  await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
  const facts = (await readJson<SetFacts>(join(folder, 'set.json'))) ?? (await begin(folder, recipients));
  const key = facts.key === null ? null : Buffer.from(facts.key, 'base64');
  const pathOf = (name: string): string => join(folder, createHash('sha256').update(name).digest('hex'));
  const staged = (name: string): Promise<SetFile | null> => readJson<SetFile>(`${pathOf(name)}${FACTS}`);
  return {
    setId,
    compression: facts.compression,
    encryption: facts.encryption,
    sink: (signal, onProgress) => ({
      signal,
      staged,
      add: async (name, content) => {
        const known = await staged(name);
        if (known !== null) throw new DomainError('conflict', `${name} is in the set already`);
        const file = await writePacked(pathOf(name), name, content, { ...facts, key, setId, signal, onProgress });
        await writeJson(`${pathOf(name)}${FACTS}`, file);
        return file;
      },
    }),
    files: async () => {
      const names = (await readdir(folder)).filter((name) => name.endsWith(FACTS));
      const files = await Promise.all(names.map((name) => readJson<SetFile>(join(folder, name))));
      return files.filter((file) => file !== null).sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    read: (file) => createReadStream(pathOf(file.name), { highWaterMark: 1024 * 1024 }) as AsyncIterable<Uint8Array>,
    remember: (step, value) => writeJson(join(folder, `${step}.step.json`), value),
    recall: (step) => readJson(join(folder, `${step}.step.json`)),
    drop: async (prefix) => {
      const names = (await readdir(folder)).filter((name) => name.endsWith(FACTS));
      for (const name of names) {
        const file = await readJson<SetFile>(join(folder, name));
        if (file?.name.startsWith(prefix) !== true) continue;
        await rm(join(folder, name), { force: true });
        await rm(pathOf(file.name), { force: true });
      }
    },
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}

/** Removes what is staged of a set, and what older sets left that nobody goes on with any more. */
export async function clearStaged(dir: string, setId: string, nowMs: number): Promise<void> {
  const names = await readdir(dir).catch(() => []);
  for (const name of names) {
    const abandoned = isSetId(name) && nowMs - setTimeMs(name) > ABANDONED_AFTER_MS;
    if (name === setId || abandoned) await rm(join(dir, name), { recursive: true, force: true });
  }
}

/** What an envelope of a set is bound to: files of two sets cannot be exchanged. */
export function envelopeName(setId: string, name: string): string {
  return `${setId}/${name}`;
}

async function begin(folder: string, recipients: readonly string[]): Promise<SetFacts> {
  const wrapped = recipients.length === 0 ? null : await newWrappedKey(recipients);
  const facts: SetFacts = {
    compression: availableCompression(),
    key: wrapped?.key.toString('base64') ?? null,
    encryption: wrapped === null ? null : { scheme: 'aes-256-gcm-chunked-v1', recipients, wrappedKey: wrapped.wrapped },
  };
  await writeJson(join(folder, 'set.json'), facts);
  return facts;
}

interface WriteOptions {
  readonly key: Buffer | null;
  readonly compression: Compression;
  readonly setId: string;
  readonly signal: AbortSignal;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

async function writePacked(
  path: string,
  name: string,
  content: AsyncIterable<Uint8Array>,
  { key, compression, setId, signal, onProgress }: WriteOptions,
): Promise<SetFile> {
  const seen: { plain: Counted | null; stored: Counted | null } = { plain: null, stored: null };
  const options = { name: envelopeName(setId, name), key, compression };
  const stream = counted(
    packed(content, options, (plain) => (seen.plain = plain)),
    (stored) => (seen.stored = stored),
  );
  const aside = `${path}.part`;
  const file = await open(aside, 'w', FILE_MODE);
  try {
    let written = 0;
    for await (const chunk of stream) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      written += chunk.byteLength;
      onProgress?.(written);
    }
    await file.sync();
  } catch (error) {
    throw diskError(error);
  } finally {
    await file.close();
    if (seen.stored === null) await rm(aside, { force: true });
  }
  await rename(aside, path);
  const { plain, stored } = seen;
  if (plain === null || stored === null) throw new DomainError('internal', `${name} was not read to its end`);
  return {
    name,
    bytes: plain.bytes,
    sha256: plain.sha256,
    storedBytes: stored.bytes,
    storedSha256: stored.sha256,
  };
}

function diskError(error: unknown): unknown {
  const code = error instanceof Error && 'code' in error ? error.code : '';
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new DomainError(
    'unavailable',
    `The disk of the platform is full (${code}): a backup is put together there first`,
    [
      {
        field: 'SLUICE_HOME',
        message: 'has no room for the packed database',
        allowed: ['as much free space as the database takes'],
      },
    ],
  );
}

async function readJson<T>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  return text === null ? null : (JSON.parse(text) as T);
}

/** To the side and renamed: complete or absent. */
async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(`${path}.part`, JSON.stringify(value), { mode: FILE_MODE });
  await rename(`${path}.part`, path);
}
