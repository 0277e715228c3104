import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, normalize, sep } from 'node:path';
import { DomainError, type Problem } from '../../domain/errors.ts';
import { readTar } from './read-tar.ts';

/** Files named in one message. */
const PROBLEMS_MAX = 10;

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** The part of `backup_manifest` that is checked: SHA-256 by path. */
export type FileDigests = ReadonlyMap<string, string>;

/** @throws DomainError `artefactCorrupt` when the text is no manifest, or its own checksum does not fit */
export function parseServerManifest(text: string): FileDigests {
  const at = text.lastIndexOf('"Manifest-Checksum"');
  const lastLine = text.lastIndexOf('\n', at) + 1;
  const damaged = new DomainError('artefactCorrupt', 'backup_manifest, the list of the database files, is damaged');
  if (at === -1) throw damaged;
  try {
    const parsed = JSON.parse(text) as { Files: Record<string, string>[]; 'Manifest-Checksum': string };
    const found = createHash('sha256').update(text.slice(0, lastLine)).digest('hex');
    if (found !== parsed['Manifest-Checksum']) throw damaged;
    return new Map(
      parsed.Files.flatMap((file) => {
        const path = file['Path'] ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8');
        return file['Checksum'] === undefined ? [] : [[path, file['Checksum']] as const];
      }),
    );
  } catch {
    throw damaged;
  }
}

/**
 * Unpacks one archive of a base backup into a folder and hashes every file on the way.
 * @returns digests by path inside of the folder
 */
export async function unpackArchive(
  source: AsyncIterable<Uint8Array>,
  folder: string,
  owner: FileOwner | null,
  onBytes: (bytes: number) => void,
): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  const give = (path: string, mode: number): void => {
    chmodSync(path, mode);
    if (owner !== null) chownSync(path, owner.uid, owner.gid);
  };
  const makeFolder = (path: string): void => {
    const made = mkdirSync(path, { recursive: true });
    for (let p = path; made !== undefined && p.length >= made.length; p = dirname(p)) give(p, 0o700);
  };
  for await (const entry of readTar(source)) {
    const path = inside(folder, entry.name);
    if (entry.kind === 'folder') {
      makeFolder(path);
      give(path, 0o700);
    } else if (entry.kind === 'link') {
      throw new DomainError('refused', 'This database keeps data in tablespaces outside of its folder', [
        { field: entry.name, message: `points at ${entry.linkTarget}; restore such a database with its own tools` },
      ]);
    } else {
      makeFolder(dirname(path));
      digests.set(entry.name, await writeFile(path, entry.content, onBytes));
      give(path, 0o600);
    }
  }
  return digests;
}

async function writeFile(
  path: string,
  content: AsyncIterable<Buffer>,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  try {
    for await (const chunk of content) {
      const writing = file.writeFile(chunk);
      // Another thread writes meanwhile.
      hash.update(chunk);
      await writing;
      onBytes(chunk.byteLength);
    }
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

/** Compares what was unpacked with the server's own list. The log files of the backup are not on it. */
export function compareFiles(expected: FileDigests, found: ReadonlyMap<string, string>): void {
  const problems: Problem[] = [];
  for (const [path, digest] of expected) {
    const actual = found.get(path);
    if (actual === undefined) problems.push({ field: path, message: 'is missing' });
    else if (actual !== digest) problems.push({ field: path, message: 'holds other bytes than were backed up' });
  }
  if (problems.length === 0) return;
  const more = problems.length > PROBLEMS_MAX ? ` (the first ${PROBLEMS_MAX} of ${problems.length})` : '';
  throw new DomainError(
    'artefactCorrupt',
    `The copy of the database is damaged${more}`,
    problems.slice(0, PROBLEMS_MAX),
  );
}

function inside(folder: string, name: string): string {
  const path = normalize(join(folder, name));
  if (path === folder || path.startsWith(folder + sep)) return path.endsWith(sep) ? path.slice(0, -1) : path;
  throw new DomainError('artefactCorrupt', `The copy of the database names a file outside of its folder: ${name}`);
}
