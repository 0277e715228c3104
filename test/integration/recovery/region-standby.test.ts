import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isRunning } from '../../../infra/processes/identity.ts';
import { readPidFile } from '../../../infra/processes/pid-file.ts';
import { createStandby, type Standby, type StandbyStatus } from '../../../recovery/region/standby.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { waitFor } from '../../support/platform.ts';
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

const LOG = { info: () => undefined, warn: () => undefined };

let world: PlatformWorld;
let running: RunningServer;
let shipping: Shipping;
let standby: Standby;
let second: RunningServer | null = null;
const halt = new AbortController();

const follow = (home: string): Standby =>
  createStandby({
    home,
    artefactDir: join(home, 'artefacts'),
    openTarget: () => Promise.resolve(world.target),
    isTakenOver: () => Promise.resolve(false),
    log: LOG,
  });
const replayedAll = () =>
  waitFor(
    async () => {
      const [row] = await running.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
      const { fetchedLsn, lagSeconds } = standby.status();
      const [found] = await running.query<{ there: boolean }>(
        `select '${fetchedLsn ?? '0/0'}'::pg_lsn >= '${row?.lsn ?? ''}'::pg_lsn as there`,
      );
      return found?.there === true && lagSeconds !== null && lagSeconds < 5;
    },
    30_000,
    () => `the standby to keep up: ${JSON.stringify(standby.status())}`,
  );

describe('a standby of another region', () => {
  beforeAll(async () => {
    world = await createPlatformWorld();
    ({ running } = world);
    shipping = startShipping(running.server.databaseUrl, world.target.store, createWalCodec(world.keys));
    await backUp(world, running, world.artefactDir);
    await running.query(`insert into notes(body) select 'second' from generate_series(1, 50)`);
    await untilShipped(running, shipping);
  });
  afterAll(async () => {
    halt.abort();
    await standby.stop();
    await shipping.stop();
    await running.stop();
    await second?.stop();
    remove(world.folder);
  });

  it('ends with an owner that is killed, and the next one takes up its copy', async () => {
    const home = join(world.folder, 'standby');
    writeFileSync(join(world.folder, 'key.txt'), `${world.keys.identities[0] ?? ''}\n`);
    const owner = fork(
      fileURLToPath(new URL('standby-owner.ts', import.meta.url)),
      [world.folder, home, world.keys.recipients[0] ?? ''],
      { execArgv: ['--import', 'tsx'] },
    );
    const gone = once(owner, 'exit');
    let said: StandbyStatus | null = null;
    owner.on('message', (status: StandbyStatus) => (said = status));
    await expect.poll(() => said, { timeout: 60_000 }).toMatchObject({ phase: 'following' });
    const scratch = join(home, 'postgres', 'standby');
    const record = readPidFile(join(scratch, 'run'), 'postgres');
    const { pid, identity } = record ?? { pid: 0, identity: '' };
    const socketDir = readFileSync(join(scratch, 'socket-folder'), 'utf8');
    expect(isRunning(pid, identity)).toBe(true);
    owner.kill('SIGKILL');
    await gone;
    // Nobody has begun anew: it ends by itself.
    await waitFor(() => !isRunning(pid, identity), 20_000, 'the server of the killed owner');
    standby = follow(home);
    void standby.follow(halt.signal);
    await replayedAll();
    expect(standby.status().setId).toBe((said as StandbyStatus | null)?.setId);
    expect(existsSync(socketDir)).toBe(false);
    await standby.stop();
  });

  it('keeps up with what the target gets, artefacts too, and across a stop in between', async () => {
    const home = join(world.folder, 'standby');
    standby = follow(home);
    void standby.follow(halt.signal);
    await replayedAll();
    const status = { phase: 'following', artefactsMissing: 0, problem: null };
    await expect.poll(() => standby.status(), { timeout: 20_000 }).toMatchObject(status);
    await standby.stop();
    // Three segments go by while it is away, and one of them is replaced by its whole.
    for (let i = 0; i < 3; i++) {
      await running.query(`insert into notes(body) select 'third' from generate_series(1, 100)`);
      await running.query('select pg_switch_wal()');
    }
    await untilShipped(running, shipping);
    standby = follow(home);
    void standby.follow(halt.signal);
    await running.query(`insert into notes(body) select 'fourth' from generate_series(1, 10)`);
    await untilShipped(running, shipping);
    await replayedAll();
  });

  it('is promoted with every row that was shipped, once, and becomes the database of its home', async () => {
    const home = join(world.folder, 'standby');
    await shipping.stop();
    await running.stop();
    const promoted = await standby.promote(null, halt.signal);
    expect(promoted.reachedLsn).toBe(promoted.fetchedLsn);
    expect(await standby.promote(null, halt.signal)).toMatchObject({ fetchedLsn: promoted.fetchedLsn });
    expect(await query(promoted.databaseUrl, 'select count(*)::int as n from notes')).toEqual([{ n: 460 }]);
    await query(promoted.databaseUrl, `alter role sluice password 'of this home'`);
    await standby.handOver();
    await standby.handOver();
    writeFileSync(join(home, 'postgres-password'), 'of this home\n', { mode: 0o600 });
    second = await startServer(home);
    expect(await second.query('select count(*)::int as n from notes')).toEqual([{ n: 460 }]);
    await second.query(`insert into notes(body) values ('written in the second region')`);
  });
});
