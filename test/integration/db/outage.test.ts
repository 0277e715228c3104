import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRegistry, type OpenRegistry } from '../../../db/create-registry.ts';
import { givenModel, openTestRegistry, prediction, race, routingChange, type TestRegistry } from './fixture.ts';
import { createTcpProxy, type TcpProxy } from './tcp-proxy.ts';

let t: TestRegistry;
let proxy: TcpProxy;
let open: OpenRegistry;
const OPERATION_TIMEOUT_MS = 1_500;
beforeEach(async () => {
  t = await openTestRegistry();
  proxy = await createTcpProxy(t.databaseUrl);
  open = createRegistry(proxy.url, { operationTimeoutMs: OPERATION_TIMEOUT_MS, poolConnectionsMax: 3 });
});
afterEach(async () => {
  await open.close();
  await proxy.close();
  await t.close();
});

const recovered = () => vi.waitFor(() => open.registry.models.list(), { timeout: 10_000, interval: 50 });

describe('an outage of the database', () => {
  it('answers unavailable at once while it is down, and works again when it is back', async () => {
    await givenModel(open.registry, 'demo', 1);
    await proxy.cut();
    const startedAt = performance.now();
    const { won, lost } = await race<unknown>([
      open.registry.models.list(),
      open.registry.routing.apply(routingChange('demo')),
      open.registry.records.savePredictions([prediction()]),
      open.registry.records.ensurePartitions(1),
      open.registry.keys.list(),
    ]);
    expect(won).toEqual([]);
    for (const error of lost) expect(error).toMatchObject({ name: 'DomainError', code: 'unavailable' });
    expect(performance.now() - startedAt).toBeLessThan(OPERATION_TIMEOUT_MS * 3);
    await proxy.restore();
    await recovered();
    expect(await open.registry.routing.apply(routingChange('demo'))).toMatchObject({ generation: 1 });
  });

  it('gives up on a silent network after the operation timeout, and works again after it', async () => {
    await open.registry.models.list();
    proxy.silence();
    const startedAt = performance.now();
    await expect(open.registry.models.list()).rejects.toMatchObject({ code: 'unavailable', message: /no answer/ });
    expect(performance.now() - startedAt).toBeLessThan(OPERATION_TIMEOUT_MS * 2);
    await proxy.restore();
    await recovered();
  });

  it('answers unavailable to whoever was cut off in the middle of a statement', async () => {
    await givenModel(open.registry, 'demo', 1);
    const [blocker] = [await t.sql.reserve()];
    await blocker`begin`;
    await blocker`select 1 from models where name = 'demo' for update`;
    const waiting = open.registry.versions.setAliases('demo', { champion: 1 }, 'ann', 'c');
    const failed = expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await vi.waitFor(async () => {
      const [row] = await t.sql`select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'`;
      expect(row!['n']).toBeGreaterThan(0);
    });
    await t.sql`select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock'`;
    await failed;
    await blocker`rollback`;
    blocker.release();
    await open.registry.versions.setAliases('demo', { champion: 1 }, 'ann', 'c');
    expect(await open.registry.versions.aliases('demo')).toEqual({ champion: 1 });
  });

  it('hears of changes again after an outage, and is called once it listens again', async () => {
    await givenModel(open.registry, 'demo', 1);
    let calls = 0;
    const stop = await open.registry.routing.listen(() => void (calls += 1));
    await proxy.cut();
    await t.registry.routing.apply(routingChange('demo'));
    const before = calls;
    await proxy.restore();
    await vi.waitFor(() => expect(calls).toBeGreaterThan(before), { timeout: 10_000 });
    const after = calls;
    await t.registry.routing.apply(routingChange('demo', { expectedGeneration: 1 }));
    await vi.waitFor(() => expect(calls).toBeGreaterThan(after));
    await stop();
  });

  it('listens as soon as the database is there when it starts without one', async () => {
    await givenModel(t.registry, 'demo', 1);
    await proxy.cut();
    let calls = 0;
    const stop = await open.registry.routing.listen(() => void (calls += 1));
    expect(calls).toBe(0);
    await proxy.restore();
    await vi.waitFor(() => expect(calls).toBeGreaterThan(0), { timeout: 10_000 });
    await stop();
  });

  it('answers unavailable when the server has no connection left', async () => {
    const limited = new URL(t.databaseUrl);
    await t.sql.unsafe(`create role limited login password 'x' connection limit 0`);
    limited.username = 'limited';
    limited.password = 'x';
    const other = createRegistry(limited.href);
    await expect(other.registry.models.list()).rejects.toMatchObject({ code: 'unavailable', message: /53300/ });
    await other.close();
    await t.sql.unsafe('drop role limited');
  });

  it('closes within seconds, also when the network is silent', async () => {
    const other = createRegistry(proxy.url);
    await other.registry.models.list();
    proxy.silence();
    const startedAt = performance.now();
    const pending = other.registry.models.list().catch((e: unknown) => e);
    await other.close();
    expect(performance.now() - startedAt).toBeLessThan(8_000);
    expect(await pending).toMatchObject({ code: 'unavailable' });
    await proxy.restore();
  });
});
