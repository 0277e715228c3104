import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Database } from '../../../db/connect.ts';
import { migrate } from '../../../db/migrate.ts';
import { createRecoveryStore } from '../../../db/recovery-store.ts';
import { createRegionStore, type RegionStore } from '../../../db/region-store.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { insertServedModel } from '../../support/insert-served-model.ts';
import { query } from '../../support/query.ts';

let place: TestDatabase;
let database: Database;
let store: RegionStore;

const write = () => query(place.databaseUrl, `update model_aliases set updated_by = 'somebody'`);

beforeAll(async () => {
  place = await createTestDatabase();
  await migrate(place.databaseUrl);
  database = createDatabase(place.databaseUrl);
  store = createRegionStore(database);
  await insertServedModel(place.databaseUrl, 'm');
});
afterAll(async () => {
  await database.close();
  await place.drop();
});

describe('the lease in the database of a region', () => {
  it('lets a database without a region take control writes as ever', async () => {
    await write();
  });

  it('refuses them from the moment it joins until the lease is granted, and after it has run out', async () => {
    await store.join('east');
    await expect(write()).rejects.toMatchObject({ code: 'SLFEN', message: 'region east does not hold the lease' });
    const { atMs } = await store.now();
    await store.grant({ region: 'east', epoch: 3 }, atMs + 60_000);
    await write();
    await store.grant({ region: 'east', epoch: 3 }, atMs - 1);
    await expect(write()).rejects.toMatchObject({ code: 'SLFEN' });
    await expect(query(place.databaseUrl, `update models set definition = '{}'`)).rejects.toMatchObject({
      code: 'SLFEN',
    });
  });

  it('refuses at its commit a write that began while the lease ran', async () => {
    const { atMs } = await store.now();
    await store.grant({ region: 'east', epoch: 3 }, atMs + 60_000);
    const late = query(
      place.databaseUrl,
      `begin; update model_aliases set updated_by = 'late';
       update region_lease set valid_until = clock_timestamp(); commit;`,
    );
    await expect(late).rejects.toMatchObject({
      code: 'SLFEN',
      message: 'the lease of region east has run out (epoch 3)',
    });
  });

  it('names the region that owns the epoch once it has been taken over', async () => {
    expect(await store.revoke({ region: 'west', epoch: 4 })).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/);
    await expect(write()).rejects.toMatchObject({ message: 'region west owns epoch 4, not region east' });
    expect(await store.state()).toMatchObject({ region: 'east', lease: { region: 'west', epoch: 4, validForMs: 0 } });
  });

  it('takes no grant of the epoch before, sent by a process that died since', async () => {
    const { atMs } = await store.now();
    await store.grant({ region: 'east', epoch: 3 }, atMs + 60_000);
    await expect(write()).rejects.toMatchObject({ message: 'region west owns epoch 4, not region east' });
  });

  it('begins an epoch without the lease, and goes on alone when it leaves', async () => {
    const begun = await createRecoveryStore(database).beginEpoch({
      above: 3,
      by: 't',
      reason: 't',
      changeId: 'region',
    });
    expect(begun.epoch).toBe(4);
    await expect(write()).rejects.toMatchObject({ code: 'SLFEN' });
    await store.leave('test', 'the other region is gone');
    await write();
  });
});
