import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A complete, checked database beside the one in use. */
const STAGED = 'data.restored';
/** Written last: only then may the staged one take over. */
const MARKER = 'data.restored.ready';
const REPLACED = 'data.replaced-';

export function stagedDataDir(base: string): string {
  return join(base, STAGED);
}

/** Removes what an earlier, broken-off restore left. */
export function clearStaged(base: string): void {
  rmSync(join(base, MARKER), { force: true });
  rmSync(join(base, STAGED), { recursive: true, force: true });
}

/** From now on the next start of the database takes the staged one. */
export function markRestored(base: string): void {
  writeFileSync(join(base, MARKER), `${new Date().toISOString()}\n`, { flush: true });
}

/**
 * Puts a staged database in the place of the one in use, which is kept aside until the next time. Each step is one
 * rename, and the marker goes last: a kill in between is made good by the next call.
 * @returns whether one took over
 */
export function takeRestored(base: string): boolean {
  const marker = join(base, MARKER);
  if (!existsSync(marker)) return false;
  const [staged, data] = [join(base, STAGED), join(base, 'data')];
  const waiting = existsSync(staged);
  if (waiting) {
    if (existsSync(data)) {
      for (const name of readdirSync(base)) {
        if (name.startsWith(REPLACED)) rmSync(join(base, name), { recursive: true, force: true });
      }
      renameSync(data, join(base, `${REPLACED}${new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')}`));
    }
    renameSync(staged, data);
  }
  rmSync(marker, { force: true });
  return waiting;
}
