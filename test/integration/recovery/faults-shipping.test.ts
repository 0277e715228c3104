import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { startPostgres, type EmbeddedPostgres } from '../../../infra/embedded/postgres.ts';
import { createObjectWalStore } from '../../../recovery/postgres/object-wal-store.ts';
import { createWalShipper, type WalShipper } from '../../../recovery/postgres/ship-wal.ts';
import { watchLag } from '../../../recovery/postgres/watch-lag.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { query } from '../../support/query.ts';
import { createMemoryObjects, mountSmallDisk, remove, temporaryFolder } from './restore-world.ts';

const MB = 1024 * 1024;
/** Small enough to be filled in seconds. */
const WAL_BOUNDS = { max_slot_wal_keep_size: '48MB', max_wal_size: '64MB', min_wal_size: '32MB' };
/** What the slot may keep, what one checkpoint may leave, and the segment being written. */
const WAL_BYTES_MAX = (48 + 64 + 32) * MB;

let home: string;
let server: EmbeddedPostgres;
let shipper: WalShipper;
let errors: string[];
let end: () => Promise<void>;

const run = (text: string) => query<{ n: string }>(server.databaseUrl, text);

function ship(objects: ObjectStore, slot: string): void {
  const halt = new AbortController();
  const quietly = () => undefined;
  errors = [];
  shipper = createWalShipper({
    databaseUrl: server.databaseUrl,
    slot,
    openStore: (systemId) =>
      createObjectWalStore(objects, systemId, createWalCodec({ recipients: [], identities: [] })),
    log: { info: quietly, warn: quietly, error: (_, message) => errors.push(message) },
    everyMs: 100,
    lagAlarmSeconds: 1,
    heldUpMs: 500,
  });
  const shipping = shipper.run(halt.signal);
  end = async () => {
    halt.abort();
    await shipping;
    const dropped = `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slot}'`;
    // The server has to hear of the end first.
    await expect
      .poll(
        () =>
          run(dropped).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
  };
}

/** Of 1,920 bytes each: one that packs well, and one that does not. */
const PLAIN = 'repeat(md5(i::text), 60)';
const DENSE = `(select string_agg(md5(i::text || j || random()), '') from generate_series(1, 60) j)`;

/** About 15 MB of log, and a checkpoint. @returns bytes of log that the server keeps */
async function writeRound(body: string): Promise<number> {
  await run(`insert into filler select ${body} from generate_series(1, 8000) i`);
  await run('truncate filler');
  await run('checkpoint');
  const [size] = await run('select sum(size) as n from pg_ls_waldir()');
  return Number(size?.n);
}

const caughtUp = () => expect.poll(() => shipper.status().lagSeconds, { timeout: 20_000 }).toBeLessThan(0.5);

describe('a target that the log does not reach', () => {
  beforeAll(async () => {
    home = temporaryFolder();
    server = await startPostgres({ home, keeper: null, port: 0, settings: WAL_BOUNDS });
    await run('create table filler(body text)');
    await run('alter table filler alter column body set storage external');
  });
  afterAll(async () => {
    await server.process.stop();
    remove(home);
  });
  afterEach(() => end());

  it('because its disk is full: heard of, nothing half-made stays, and room closes the hole without a new base backup', async (context) => {
    const dir = join(home, 'full');
    const disk = mountSmallDisk(dir, '4m');
    if (disk === null) {
      end = () => Promise.resolve();
      return context.skip('this user may not mount a file system of its own');
    }
    try {
      ship(createFolderStore(dir), 'sluice_full');
      await caughtUp();
      const most = Math.max(await writeRound(DENSE), await writeRound(DENSE));
      await expect.poll(() => shipper.status().problem, { timeout: 20_000 }).toContain('the disk is full (ENOSPC)');
      await expect.poll(() => errors.join(), { timeout: 20_000 }).toContain('does not reach its target');
      expect(most).toBeLessThan(WAL_BYTES_MAX);
      await expect.poll(() => readdirSync(join(dir, '.incoming')), { timeout: 10_000 }).toEqual([]);
      disk.grow('256m');
      await caughtUp();
      expect(shipper.status()).toMatchObject({ gapAtMs: null, problem: null });
    } finally {
      await end();
      end = () => Promise.resolve();
      disk.unmount();
    }
  });

  it('because it is away for long: the disk of the database is not filled, and only a new base backup closes the hole', async () => {
    const objects = createMemoryObjects();
    ship(objects, 'sluice_away');
    await expect.poll(() => objects.content.size, { timeout: 20_000 }).toBeGreaterThan(0);
    objects.down = true;
    const from = await written();
    let most = 0;
    for (let round = 0; round < 14; round += 1) most = Math.max(most, await writeRound(PLAIN));
    expect((await written()) - from).toBeGreaterThan(200 * MB);
    expect(most).toBeLessThan(WAL_BYTES_MAX);
    await expect.poll(() => errors.join(), { timeout: 20_000 }).toContain('does not reach its target');
    objects.down = false;
    await expect.poll(() => shipper.status().gapAtMs, { timeout: 30_000 }).not.toBeNull();
    expect(errors.join()).toContain('take a base backup now');
    await caughtUp();
  });
});

async function written(): Promise<number> {
  const [row] = await run(`select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') as n`);
  return Number(row?.n);
}

describe('the alarm of a log that is late', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is raised within a minute as the platform starts it, once, and taken back', () => {
    const said: string[] = [];
    const say = (_: object, message: string) => void said.push(message);
    let lagSeconds = 0;
    const timer = watchLag({ slot: 'near', log: { info: say, error: say } }, () => ({
      lagSeconds: (lagSeconds += 1),
      problem: null,
      standby: false,
    }));
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([expect.stringContaining('rows could be lost')]);
    lagSeconds = -1;
    vi.advanceTimersByTime(1_000);
    expect(said).toHaveLength(2);
    clearInterval(timer);
  });
});
