import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import { createSavedKeys } from '../../../api/security/saved-keys.ts';
import type { KeyRow } from '../../../db/ports.ts';

let folder: string;
let path: string;
const log = { warn: vi.fn() };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-keys-'));
  path = join(folder, 'home', 'keys.json');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function makeKey() {
  const { key, row } = createApiKey('till', ['predict'], new Date('2030-01-01T00:00:00Z'));
  const stored: KeyRow = { ...row, tier: 'premium', createdAt: new Date(0), revokedAt: null };
  return { key, stored };
}

const saved = (rows: readonly KeyRow[]) => createSavedKeys({ keys: { list: () => Promise.resolve(rows) }, path, log });
const away = () => createSavedKeys({ keys: { list: () => Promise.reject(new Error('away')) }, path, log });

describe('saved keys', () => {
  it('are those last seen, for a process that starts while the registry is away', async () => {
    const { stored } = makeKey();
    await saved([stored]).list();
    await expect.poll(() => readFile(path, 'utf8').catch(() => '')).toContain(stored.hash);
    expect(await away().list()).toEqual([stored]);
  });

  it('hold no key, and are for the owner alone', async () => {
    const { key, stored } = makeKey();
    await saved([stored]).list();
    await expect.poll(() => readFile(path, 'utf8').catch(() => '')).toContain(stored.hash);
    expect(await readFile(path, 'utf8')).not.toContain(key.slice(stored.prefix.length));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('do not replace what was read once: then the outage is told', async () => {
    const { stored } = makeKey();
    const list = vi.fn<() => Promise<readonly KeyRow[]>>().mockResolvedValueOnce([stored]);
    const keys = createSavedKeys({ keys: { list }, path, log });
    await keys.list();
    // Saving goes on after the answer: it must not meet the removal of the folder.
    await expect.poll(() => readFile(path, 'utf8').catch(() => '')).toContain(stored.hash);
    list.mockRejectedValue(new Error('away'));
    await expect(keys.list()).rejects.toThrow('away');
  });

  it('that are missing or damaged are no keys at all', async () => {
    await expect(away().list()).rejects.toThrow('away');
    await saved([]).list();
    await expect.poll(() => readFile(path, 'utf8').catch(() => '')).toContain('formatVersion');
    await writeFile(path, '{"formatVersion":1,"keys":[{"hash":1}]}');
    await expect(away().list()).rejects.toThrow('away');
  });
});
