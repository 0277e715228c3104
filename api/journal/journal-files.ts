/** Names in the journal's folder: `<instance>/<segment>.jnl`, `<instance>/alive`, `rejected/`. */
import { readdir, stat, unlink, rmdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Its time of change moves while the writer lives; a writer that closed in order has removed it. */
export const ALIVE_FILE = 'alive';
export const REJECTED_FOLDER = 'rejected';

const INSTANCE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const SEGMENT = /^(\d{8})\.jnl$/;

export function segmentPath(dir: string, instance: string, segment: number): string {
  return join(dir, instance, `${String(segment).padStart(8, '0')}.jnl`);
}

/** Instances with a folder; none when the journal has not begun. */
export async function listInstances(dir: string): Promise<readonly string[]> {
  return (await namesIn(dir)).filter((name) => INSTANCE.test(name)).sort();
}

/** Segments of an instance in the order of their writing, and whether it has said that it is alive. */
export async function listSegments(
  dir: string,
  instance: string,
): Promise<{ readonly segments: readonly number[]; readonly hasAliveFile: boolean }> {
  const names = await namesIn(join(dir, instance));
  const segments = names.flatMap((name) => {
    const number = SEGMENT.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
  return { segments: segments.sort((a, b) => a - b), hasAliveFile: names.includes(ALIVE_FILE) };
}

/** Size and time of change, `null` for a file that is gone. */
export async function look(path: string): Promise<{ readonly bytes: number; readonly changedAtMs: number } | null> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { bytes: size, changedAtMs: mtimeMs };
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

export async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(passIfGone);
}

/** Removes the folder of an instance unless it holds anything but its sign of life. */
export async function removeInstance(dir: string, instance: string): Promise<void> {
  await removeFile(join(dir, instance, ALIVE_FILE));
  await rmdir(join(dir, instance)).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') passIfGone(error);
  });
}

export function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function passIfGone(error: unknown): void {
  if (!isGone(error)) throw error;
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
