import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRoutingFile } from '../../../../api/serving/routing-file.ts';
import type { SavedRouting } from '../../../../api/serving/routing-file.ts';

const warned: string[] = [];
const log = {
  info: () => undefined,
  warn: (_: object, message: string) => warned.push(message),
  error: () => undefined,
};
const routing = (generation: number): SavedRouting => ({
  tables: [
    {
      model: 'm',
      generation,
      salt: 's',
      rolloutId: null,
      routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
      slowMs: 50,
    },
  ],
  addresses: [{ model: 'm', version: 1, manifestDigest: 'd' }],
});

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'sluice-routing-'));
  warned.length = 0;
});
afterEach(() => rm(home, { recursive: true, force: true }));

describe('the routing file', () => {
  it('holds the last of several changes, and leaves nothing beside it', async () => {
    const file = createRoutingFile(join(home, 'new', 'routing.json'), log);
    for (const generation of [1, 2, 3]) file.save(routing(generation));
    await file.settled();
    expect(await file.read()).toMatchObject(routing(3));
    expect(await readdir(join(home, 'new'))).toEqual(['routing.json']);
  });

  it('is null where there is none, without a word', async () => {
    expect(await createRoutingFile(join(home, 'routing.json'), log).read()).toBeNull();
    expect(warned).toEqual([]);
  });

  it('that cannot be written disturbs nobody', async () => {
    const file = createRoutingFile(join('/dev/null', 'routing.json'), log);
    file.save(routing(1));
    await file.settled();
    expect(warned).toEqual(['the routing could not be saved']);
  });
});
