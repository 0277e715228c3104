import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { platformEnvironment } from '../../support/platform.ts';
import { runRunbook } from '../../support/runbook.ts';
import { backUp, createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import {
  remove,
  startServer,
  startShipping,
  untilShipped,
  type RunningServer,
  type Shipping,
} from './restore-world.ts';

let world: PlatformWorld;
let running: RunningServer;
let shipping: Shipping;

const ship = (): Shipping => startShipping(running.server.databaseUrl, world.target.store, createWalCodec(world.keys));
const settle = async (): Promise<void> => {
  await untilShipped(running, shipping);
  await shipping.stop();
  await running.stop();
};
const notes = async (): Promise<number> =>
  Number((await running.query<{ n: number }>('select count(*)::int as n from notes'))[0]?.n);

/** The page's commands on this home; `sluice up` starts its database. */
const follow = (page: string, home: string, moment = 'latest') =>
  runRunbook(page, {
    env: {
      ...platformEnvironment(home),
      SLUICE_BACKUP_TARGETS: join(world.folder, 'target'),
      SLUICE_BACKUP_IDENTITY_FILE: join(world.folder, 'key.txt'),
    },
    instead: {
      '.sluice': basename(home),
      's3://bucket/sluice': join(world.folder, 'target'),
      'key.txt': join(world.folder, 'key.txt'),
      '2030-01-31T12:00:00Z': moment,
    },
    up: async () => {
      running = await startServer(home);
      shipping = ship();
    },
  });

/** A moment after which nothing was written yet, by the clock of the database. */
async function momentNow(): Promise<string> {
  await sleep(5);
  const [row] = await running.query<{ ms: string }>('select extract(epoch from clock_timestamp()) * 1000 as ms');
  await sleep(5);
  return new Date(Math.floor(Number(row?.ms))).toISOString();
}

describe('the commands of the runbooks', () => {
  beforeAll(async () => {
    world = await createPlatformWorld();
    ({ running } = world);
    writeFileSync(join(world.folder, 'key.txt'), `${world.keys.identities[0] ?? ''}\n`);
    shipping = ship();
    await backUp(world, running, world.artefactDir);
  });
  afterAll(async () => {
    await shipping.stop();
    await running.stop();
    remove(world.folder);
  });

  it('bring back a model whose files were deleted', async () => {
    await settle();
    remove(world.artefactDir);
    expect(await follow('deleted-model', running.home)).toEqual(['restore --confirm', 'up']);
    expect(readdirSync(world.artefactDir, { recursive: true }).length).toBeGreaterThanOrEqual(3);
    expect(await notes()).toBe(100);
  });

  it('undo a migration that went wrong', async () => {
    await running.query(`insert into notes(body) select 'before' from generate_series(1, 10)`);
    const moment = await momentNow();
    await running.query('drop table notes');
    await running.query('create table later(id int)');
    await settle();
    const done = await follow('bad-migration', running.home, moment);
    expect(done).toEqual(['restore --to --preview', 'restore --to --confirm', 'up']);
    expect(await notes()).toBe(110);
    expect(await running.query(`select to_regclass('later') as t`)).toEqual([{ t: null }]);
  });

  it('bring back a database that is lost', async () => {
    await running.query(`insert into notes(body) select 'third' from generate_series(1, 5)`);
    await settle();
    remove(join(running.home, 'postgres', 'data'));
    expect(await follow('lost-database', running.home)).toEqual(['restore --preview', 'restore', 'up']);
    expect(await notes()).toBe(115);
    expect(await running.query('select epoch, state from platform_epoch')).toEqual([{ epoch: 4, state: 'active' }]);
  });

  it('go back to before an intrusion, on a clean machine', async () => {
    const moment = await momentNow();
    await running.query(`update notes set body = 'encrypted, pay'`);
    await settle();
    const clean = join(world.folder, 'clean');
    mkdirSync(clean);
    const done = await follow('ransomware', clean, moment);
    expect(done).toEqual(['restore --target --identity --preview', 'restore --target --identity --to', 'up']);
    expect(await running.query(`select count(*)::int as n from notes where body like '%pay%'`)).toEqual([{ n: 0 }]);
    expect(await notes()).toBe(115);
  });
});
