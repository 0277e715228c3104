import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { boundFor, defaultBound } from '../../../../api/journal/default-bound.ts';

const GIB = 1024 ** 3;

describe('the bound of the journal where nobody has set one', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'sluice-bound-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it.each([
    [1_000 * GIB, 8 * GIB],
    [40 * GIB, 8 * GIB],
    [10 * GIB, 2 * GIB],
    [0, GIB / 16],
  ])('is at most 8 GiB and a fifth of what is free, and never nothing: %d -> %d', (free, bound) => {
    expect(boundFor(free)).toBe(bound);
  });

  it('asks the disk that the journal will be on, which may not have its folder yet', () => {
    const dir = join(folder, 'home', 'journal');
    const bound = defaultBound(dir);
    expect(existsSync(dir)).toBe(true);
    expect(bound).toBeGreaterThanOrEqual(GIB / 16);
    expect(bound).toBeLessThanOrEqual(8 * GIB);
  });
});
