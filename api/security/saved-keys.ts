import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { KeyRow, KeyStore } from '../../db/ports.ts';
import { APPROVER_ROLES } from '../../domain/approver-role.ts';
import { RATE_TIERS } from '../../domain/rate-tier.ts';
import { PERMISSIONS } from '../../domain/records.ts';
import type { Log } from '../log.ts';

export interface SavedKeysDeps {
  readonly keys: Pick<KeyStore, 'list'>;
  readonly path: string;
  readonly log: Pick<Log, 'warn'>;
}

const date = z.coerce.date();
const savedKeys = z.object({
  formatVersion: z.literal(1),
  keys: z.array(
    z.object({
      id: z.string(),
      name: z.string(),
      prefix: z.string(),
      hash: z.string(),
      permissions: z.array(z.enum(PERMISSIONS)),
      tier: z.enum(RATE_TIERS),
      /** Absent in files of earlier releases. */
      roles: z.array(z.enum(APPROVER_ROLES)).default([]),
      createdAt: date,
      expiresAt: date.nullable(),
      revokedAt: date.nullable(),
    }),
  ),
});

/**
 * The keys of the registry, and a copy of them on the disk for a process that starts while the database is away: it
 * serves by the keys last seen. The copy holds hashes of random secrets, never a key, and is for the owner alone. A
 * key revoked during the outage is refused when the database is back, as in a process that runs through it.
 */
export function createSavedKeys({ keys, path, log }: SavedKeysDeps): Pick<KeyStore, 'list'> {
  let saved = '';
  let seen = false;

  async function save(rows: readonly KeyRow[]): Promise<void> {
    const text = JSON.stringify({ formatVersion: 1, keys: rows });
    if (text === saved) return;
    try {
      await replaceFile(path, text);
      saved = text;
    } catch (error) {
      // Serving goes on: the file is for the next start.
      log.warn({ err: error, path }, 'the API keys could not be saved');
    }
  }

  return {
    list: async () => {
      try {
        const rows = await keys.list();
        seen = true;
        void save(rows);
        return rows;
      } catch (error) {
        // Keys in memory are newer than the file.
        if (seen) throw error;
        const rows = await readSaved(path);
        if (rows === null) throw error;
        seen = true;
        log.warn({ err: error, keys: rows.length }, 'the registry is away: API keys as saved at the last run');
        return rows;
      }
    },
  };
}

async function readSaved(path: string): Promise<readonly KeyRow[] | null> {
  try {
    return savedKeys.parse(JSON.parse(await readFile(path, 'utf8'))).keys;
  } catch {
    return null;
  }
}

/** Whole or absent; several processes may save at once. */
async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomUUID()}.tmp`;
  await mkdir(dirname(path), { recursive: true });
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
