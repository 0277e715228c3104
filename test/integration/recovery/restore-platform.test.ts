import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../../db/connect.ts';
import { createRecoveryStore } from '../../../db/recovery-store.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createRestorePoint, listPoints } from '../../../recovery/catalogue/restore-points.ts';
import { runDrill } from '../../../recovery/drill/run-drill.ts';
import { parseWish } from '../../../recovery/restore/parse-wish.ts';
import { restoreAndCheck } from '../../../recovery/restore/restore-and-check.ts';
import { placeRestored, stageRestore } from '../../../recovery/restore/restore-platform.ts';
import { newIdentity } from '../../../recovery/vault/keys.ts';
import { createVaultTarget } from '../../../recovery/vault/vault-target.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { query } from '../../support/query.ts';
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
let home: string;

const ship = (): Shipping => startShipping(running.server.databaseUrl, world.target.store, createWalCodec(world.keys));
const restoreInto = (folder: string, restoreId: string) => {
  mkdirSync(folder, { recursive: true });
  return stageRestore({
    target: world.target,
    wish: { kind: 'latest' },
    home: folder,
    artefactDir: join(folder, 'artefacts'),
    epochAbove: 0,
    by: 'test',
    restoreId,
  });
};
const filesBelow = (prefix: string): string[] => {
  const root = join(world.folder, 'target');
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.startsWith(prefix))
    .map((name) => join(root, name));
};

describe('a platform and its way back', () => {
  beforeAll(async () => {
    world = await createPlatformWorld();
    ({ running } = world);
    home = running.home;
    shipping = ship();
    await backUp(world, running, world.artefactDir);
    await running.query(`insert into notes(body) select 'second' from generate_series(1, 50)`);
    await untilShipped(running, shipping);
  });
  afterAll(async () => {
    await shipping.stop();
    await running.stop();
    remove(world.folder);
  });

  it('passes a drill beside the running platform, writes it down and leaves nothing', async () => {
    const database = createDatabase(running.server.databaseUrl);
    const record = createRecoveryStore(database);
    const report = await runDrill({ target: world.target, home, record });
    expect(report).toMatchObject({
      passed: true,
      failure: null,
      state: { checks: { golden: [{ model: 'tiny', version: 1 }] } },
    });
    expect(await record.drills(1)).toMatchObject([{ outcome: 'passed', setId: report.setId }]);
    await database.close();
    expect(readdirSync(join(home, 'postgres', 'drills'))).toEqual([]);
    await untilShipped(running, shipping);
  });

  it('refuses with another key, and says which one would do', async () => {
    const { identity } = await newIdentity();
    const stranger = createVaultTarget(world.target.store, { ...world.keys, identities: [identity] });
    const folder = join(world.folder, 'stranger');
    mkdirSync(folder);
    const options = { home: folder, artefactDir: join(folder, 'artefacts'), epochAbove: 0, by: 'test', restoreId: 'x' };
    await expect(stageRestore({ target: stranger, wish: { kind: 'latest' }, ...options })).rejects.toMatchObject({
      code: 'refused',
      problems: [{ allowed: [`the identity of ${world.keys.recipients[0] ?? ''}`] }],
    });
    expect(existsSync(join(folder, 'postgres', 'data.restored'))).toBe(false);
  });

  it('refuses a log of which one byte was flipped, naming the piece', async () => {
    // The newest one: older ones may be from before the set, and are not read then.
    const pieces = filesBelow('wal/').filter((name) => name.endsWith('.sealed') && !name.includes('history'));
    const file = pieces.sort().at(-1) ?? '';
    const whole = readFileSync(file);
    const flipped = Buffer.from(whole);
    const at = Math.floor(flipped.byteLength / 2);
    flipped[at] = (flipped[at] ?? 0) ^ 1;
    rmSync(file);
    writeFileSync(file, flipped);
    const folder = join(world.folder, 'flipped');
    await expect(restoreInto(folder, 'flipped')).rejects.toMatchObject({ code: 'artefactCorrupt' });
    expect(existsSync(join(folder, 'postgres', 'data.restored'))).toBe(false);
    rmSync(file);
    writeFileSync(file, whole);
  });

  it('comes back to a named point, which a name is given to once', async () => {
    const { databaseUrl } = running.server;
    // The slot that ships here is the one of a target with this name.
    const vaults = [{ name: 'test', vault: world.target, keys: world.keys }];
    const elsewhere = [{ ...vaults[0]!, name: 'elsewhere' }];
    const order = (name: string, to = vaults) => createRestorePoint(to, databaseUrl, name);
    await expect(order('a b')).rejects.toMatchObject({ code: 'invalidInput' });
    await expect(order('before-the-change', elsewhere)).rejects.toMatchObject({ code: 'refused' });
    const point = await order('before-the-change');
    await running.query('create table too_late(id int)');
    await expect(order('before-the-change')).rejects.toMatchObject({ code: 'conflict' });
    expect(await listPoints(vaults)).toEqual([point]);
    await untilShipped(running, shipping);
    const folder = join(world.folder, 'to-the-point');
    mkdirSync(folder, { mode: 0o755 });
    const { database, state } = await restoreAndCheck(
      { target: world.target, wish: parseWish('point:before-the-change') },
      {
        dataDir: join(folder, 'data'),
        scratchDir: join(folder, 'scratch'),
        artefacts: createFolderArtefactStore(join(folder, 'artefacts')),
      },
    );
    try {
      expect(state.reachedLsn).toBe(point.lsn);
      const found = await query(
        database.databaseUrl,
        `select count(*)::int as n, to_regclass('too_late') as late from notes`,
      );
      expect(found).toEqual([{ n: 150, late: null }]);
    } finally {
      await database.stop();
      await running.query('drop table too_late');
    }
  });

  it('comes back after everything was destroyed, twice, with every row and every artefact', async () => {
    await shipping.stop();
    await running.stop();
    remove(home);
    const second = join(world.folder, 'second');
    const report = await restoreInto(second, 'one');
    expect(report).toMatchObject({ newTimeline: 2, cutOffBytes: 0, epoch: { epoch: 2, models: ['tiny'] } });
    expect(placeRestored(second)).toBe(true);
    running = await startServer(second);
    expect(await running.query('select body, count(*)::int as n from notes group by 1 order by 1')).toEqual([
      { body: 'first', n: 100 },
      { body: 'second', n: 50 },
    ]);
    expect(await running.query('select generation from routing')).toEqual([{ generation: 2_000_000 }]);

    // The restored platform ships its own timeline, is backed up, lives on, and is lost again.
    shipping = ship();
    await running.query(`insert into notes(body) select 'third' from generate_series(1, 25)`);
    await untilShipped(running, shipping);
    await backUp(world, running, join(second, 'artefacts'));
    await running.query(`insert into notes(body) select 'fourth' from generate_series(1, 10)`);
    await untilShipped(running, shipping);
    await shipping.stop();
    await running.stop();
    remove(second);
    const third = join(world.folder, 'third');
    expect(await restoreInto(third, 'two')).toMatchObject({ timeline: 2, newTimeline: 3, epoch: { epoch: 3 } });
    expect(placeRestored(third)).toBe(true);
    running = await startServer(third);
    expect(await running.query('select count(*)::int as n from notes')).toEqual([{ n: 185 }]);
    shipping = ship();
    await untilShipped(running, shipping);
  });
});
