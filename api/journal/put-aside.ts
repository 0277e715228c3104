import { appendFile, mkdir, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { REJECTED_FOLDER } from './journal-files.ts';

/** Rejected records are for a person to look at: enough for some ten thousand, and a limit all the same. */
const REJECTED_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Keeps what cannot be shipped, beside the journal. Returns false when it could not be kept: it is given up then.
 * @param name of the file; what it holds already stays
 */
export async function putAside(dir: string, name: string, bytes: string | Uint8Array): Promise<boolean> {
  try {
    return await keep(join(dir, REJECTED_FOLDER), name, bytes);
  } catch {
    // A full disk: what cannot be stored must not hold up what can.
    return false;
  }
}

async function keep(folder: string, name: string, bytes: string | Uint8Array): Promise<boolean> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const names = await readdir(folder);
  const sizes = await Promise.all(names.map(async (file) => (await stat(join(folder, file))).size));
  if (sizes.reduce((sum, size) => sum + size, bytes.length) > REJECTED_BYTES_MAX) return false;
  await appendFile(join(folder, name), bytes, { mode: 0o600, flush: true });
  return true;
}
