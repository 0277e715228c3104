import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createApiKey, hashApiKey, isWellFormedApiKey } from '../../api/security/api-key-format.ts';
import type { Registry } from '../../db/ports.ts';
import { PERMISSIONS } from '../../domain/records.ts';

export interface FirstKey {
  readonly key: string;
  readonly file: string;
  /** Made by this start: to be shown once. */
  readonly isNew: boolean;
}

const NAME = 'first key';
const ACTOR = 'first run';

/**
 * The key in `<home>/first-key`, made when there is none that the registry knows. The file is written first: a start
 * that is killed in between leaves no key that nobody can use.
 */
export async function provideFirstKey(home: string, keys: Registry['keys']): Promise<FirstKey> {
  const file = join(home, 'first-key');
  const kept = readKey(file);
  if (kept !== null) {
    const hash = hashApiKey(kept);
    const known = (await keys.list()).find((row) => row.hash === hash);
    if (known !== undefined && known.revokedAt === null) return { key: kept, file, isNew: false };
  }
  const { key, row } = createApiKey(NAME, PERMISSIONS);
  writeFileSync(file, `${key}\n`, { mode: 0o600, flush: true });
  await keys.create(row, ACTOR);
  return { key, file, isNew: true };
}

function readKey(file: string): string | null {
  if (!existsSync(file)) return null;
  const key = readFileSync(file, 'utf8').trim();
  return isWellFormedApiKey(key) ? key : null;
}
