import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase, type Database } from '../../../db/connect.ts';
import { migrate } from '../../../db/migrate.ts';
import { createRecoveryStore } from '../../../db/recovery-store.ts';
import { createRoutingStore } from '../../../db/routing-store.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { query } from '../../support/query.ts';

let place: TestDatabase;
let database: Database;

const SEED = `
  insert into models(name, definition, definition_digest) values ('m', '{}', 'd');
  insert into model_versions(model, version, status, algorithm, artefact_digest, manifest_digest, signature, evaluation,
    lineage, registered_by_run)
  select 'm', n, 'accepted', 'a', 'd', 'd', '{}', '{}', '{}', 'run' || n from generate_series(1, 2) n;
  insert into model_aliases(model, alias, version, updated_by) values ('m', 'champion', 1, 't'), ('m', 'candidate', 2, 't');
  insert into rollouts(id, model, candidate, champion, plan, phase, workflow_id, run_id, started_by)
  values ('00000000-0000-4000-8000-000000000001', 'm', 2, 1, '{}', 'running', 'rollout/m', 'r', 't');
  insert into routing(model, generation, salt, rollout_id, routes, slow_ms, change_id) values ('m', 7, 's',
    '00000000-0000-4000-8000-000000000001',
    '[{"variant":"champion","version":1,"weightPercent":50},{"variant":"candidate","version":2,"weightPercent":50}]', 100, 'c');
`;

const change = (expectedGeneration: number, changeId: string) => ({
  model: 'm',
  expectedGeneration,
  changeId,
  salt: 's',
  rolloutId: null,
  routes: [{ variant: 'champion' as const, version: 2, weightPercent: 100 }],
  slowMs: 100,
  by: 'test',
  reason: 'test',
});

beforeAll(async () => {
  place = await createTestDatabase();
  await migrate(place.databaseUrl);
  database = createDatabase(place.databaseUrl);
  await query(place.databaseUrl, SEED);
});
afterAll(async () => {
  await database.close();
  await place.drop();
});

describe('the epoch of a platform', () => {
  it('refuses every control write while it is fenced, and reads go on', async () => {
    const store = createRecoveryStore(database);
    await expect(store.fence(5, 'test', 'wrong epoch')).rejects.toMatchObject({ code: 'conflict' });
    await store.fence(1, 'test', 'being restored');
    await expect(createRoutingStore(database).apply(change(7, 'late'))).rejects.toMatchObject({ code: 'fenced' });
    expect((await createRoutingStore(database).find('m'))?.generation).toBe(7);
  });

  it('settles a rollout in flight and refuses whoever still works for the epoch before', async () => {
    const store = createRecoveryStore(database);
    const begin = { above: 3, by: 'test', reason: 'restored', changeId: 'one' };
    const report = await store.beginEpoch(begin);
    expect(report).toMatchObject({ epoch: 4, models: ['m'], rollouts: [{ model: 'm', outcome: 'aborted' }] });
    expect(await store.beginEpoch(begin)).toEqual(report);
    const routing = await createRoutingStore(database).find('m');
    expect(routing).toMatchObject({
      generation: 4_000_000,
      rolloutId: null,
      routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
    });
    // The old workflow goes on counting from what it knew: no generation that it can name is in force.
    for (const known of [7, 8, 9]) {
      await expect(createRoutingStore(database).apply(change(known, `old-${known}`))).rejects.toMatchObject({
        code: 'conflict',
      });
    }
    const rows = await query(place.databaseUrl, 'select phase, finished_at is not null as over from rollouts');
    expect(rows).toEqual([{ phase: 'aborted', over: true }]);
    expect((await createRoutingStore(database).apply(change(4_000_000, 'new'))).generation).toBe(4_000_001);
  });

  it('keeps drills, and marks as killed what nobody runs any more', async () => {
    const store = createRecoveryStore(database);
    const [a, b] = ['00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-00000000000b'];
    await store.startDrill({ id: a, target: 'file:///x' });
    await store.startDrill({ id: b, target: 'file:///x' });
    expect(await store.sweepDrills(b)).toBe(1);
    await store.finishDrill({ id: b, setId: 's', outcome: 'passed', restoreMs: 5, lossMs: 1, details: { rows: 3 } });
    expect((await store.drills(10)).map((d) => d.outcome).sort()).toEqual(['killed', 'passed']);
  });
});
