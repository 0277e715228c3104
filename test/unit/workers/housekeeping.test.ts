import { mkdir, mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { clearWorkFolders } from '../../../workers/housekeeping.ts';

const DAY_MS = 86_400_000;

describe('work folders', () => {
  it('go a week after a training last touched them, and nothing else goes', async () => {
    const workDir = await mkdtemp(join(tmpdir(), 'sluice-work-'));
    onTestFinished(() => rm(workDir, { recursive: true, force: true }));
    const nowMs = Date.now();
    for (const [name, days] of [
      ['train-old', 8],
      ['train-new', 6],
      ['other', 99],
    ] as const) {
      await mkdir(join(workDir, name));
      const at = new Date(nowMs - days * DAY_MS);
      await utimes(join(workDir, name), at, at);
    }
    await clearWorkFolders(workDir, nowMs);
    expect((await readdir(workDir)).sort()).toEqual(['other', 'train-new']);
    await expect(clearWorkFolders(join(workDir, 'none'), nowMs)).resolves.toBeUndefined();
  });
});
