import { describe, expect, it } from 'vitest';
import { setTimeMs } from '../../../domain/recovery/manifest.ts';
import type { FoundSet } from '../../../recovery/vault/vault-target.ts';
import { readVerifiedSets } from '../../../workers/verified-sets.ts';
import { sampleManifest } from '../recovery/vault-world.ts';

const ids = ['20300101T031700Z-0f3a9c1b', '20300102T031700Z-0f3a9c1b', '20300103T031700Z-0f3a9c1b'] as const;
const set = (setId: string, verified: boolean): FoundSet => ({
  setId,
  manifest: sampleManifest(setId, setTimeMs(setId)),
  problem: null,
  storedBytes: 1,
  verifiedAt: verified ? '2030-01-09T00:00:00.000Z' : null,
  hold: null,
});

async function read(find: () => Promise<readonly FoundSet[]>) {
  return (await readVerifiedSets(() => Promise.resolve(new Map([['far', { vault: { find } }]])))).get('far');
}

describe('the verified sets of a target', () => {
  it('reach from the end of the oldest to that of the newest, whatever was not read back', async () => {
    const sets = [set(ids[0], true), set(ids[1], true), set(ids[2], false)];
    const [oldest, newest] = sets.map(({ manifest }) => Date.parse(manifest?.finishedAt ?? ''));
    expect(await read(() => Promise.resolve(sets))).toEqual({
      newestMs: setTimeMs(ids[1]),
      complete: { fromMs: oldest, toMs: newest },
      problem: null,
    });
  });

  it('are none where none was read back', async () => {
    const none = { newestMs: null, complete: null, problem: null };
    expect(await read(() => Promise.resolve([set(ids[0], false)]))).toEqual(none);
  });

  it('are unknown where the target cannot be read', async () => {
    const unknown = { newestMs: null, complete: null, problem: 'no such bucket' };
    expect(await read(() => Promise.reject(new Error('no such bucket')))).toEqual(unknown);
  });
});
