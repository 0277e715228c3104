import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TEMPORAL_CLI } from '../../../adapters/pinned-wheels.ts';
import { cachedWheelMember } from '../../../adapters/python-wheel.ts';
import { temporalProgram } from '../../../infra/embedded/temporal-program.ts';

let folder: string;
let cacheDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sluice-temporal-'));
  cacheDir = join(folder, 'cache');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function program(path: string, mode = 0o755): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, '#!/bin/sh\n');
  chmodSync(path, mode);
  return path;
}

const find = (...folders: string[]) =>
  temporalProgram({ cacheDir, searchPath: folders.map((f) => join(folder, f)).join(':'), say: () => undefined });

describe('the Temporal program', () => {
  it('is the one on PATH before any other', async () => {
    program(cachedWheelMember(TEMPORAL_CLI, { cacheDir }));
    const path = program(join(folder, 'bin', 'temporal'));
    expect(await find('other', 'bin')).toEqual({ path, from: 'PATH' });
  });

  it('is the cached one when PATH has none that can be run', async () => {
    program(join(folder, 'bin', 'temporal'), 0o644);
    mkdirSync(join(folder, 'folder', 'temporal'), { recursive: true });
    const path = program(cachedWheelMember(TEMPORAL_CLI, { cacheDir }));
    expect(await find('bin', 'folder')).toEqual({ path, from: 'cache' });
  });

  it("is what the SDK downloaded before, ahead of the wheel's", async () => {
    program(cachedWheelMember(TEMPORAL_CLI, { cacheDir }));
    const path = program(join(cacheDir, 'temporal-sdk', 'temporal-cli-default'));
    expect(await find()).toEqual({ path, from: 'cache' });
  });
});
