import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createServing } from '../../../api/serving/create-serving.ts';
import type { RunningServing } from '../../../api/serving/create-serving.ts';
import { createRegistry, type OpenRegistry } from '../../../db/create-registry.ts';
import type { Registry } from '../../../db/ports.ts';
import type { Route } from '../../../domain/routing.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { definition, newVersion, openTestRegistry, routingChange, type TestRegistry } from '../db/fixture.ts';
import { createTcpProxy, type TcpProxy } from '../db/tcp-proxy.ts';

const champion = (version: number, weightPercent = 100): Route => ({ variant: 'champion', version, weightPercent });
const candidate = (version: number, weightPercent: number): Route => ({ variant: 'candidate', version, weightPercent });

let t: TestRegistry;
let proxy: TcpProxy;
let home: string;
const opened: (OpenRegistry | RunningServing)[] = [];

beforeEach(async () => {
  t = await openTestRegistry();
  proxy = await createTcpProxy(t.databaseUrl);
  home = await mkdtemp(join(tmpdir(), 'sluice-serving-'));
  await t.registry.models.apply(definition('m'), 'digest', 'test');
  // Answers tell their version: 0.1, 0.2.
  for (const version of [1, 2]) await register(t.registry, version / 10);
});
afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.close();
  await proxy.close();
  await t.close();
  await rm(home, { recursive: true, force: true });
});

/** Stores an artefact whose every answer is `value`, and the row that names it. */
async function register(registry: Registry, value: number): Promise<void> {
  const { onnx, manifest } = tinyModel({ weights: [0], bias: value, link: 'identity' });
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  const artefactDigest = await artefacts.put(onnx);
  const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(manifest)));
  await registry.versions.register({ ...newVersion('m', `run-${value}`), artefactDigest, manifestDigest });
}

/** A serving path behind the line that can be cut. */
async function startServing(): Promise<RunningServing> {
  const database = createRegistry(proxy.url, { operationTimeoutMs: 1_000, poolConnectionsMax: 3 });
  const { registry } = database;
  const serving = createServing({
    routing: registry.routing,
    versions: registry.versions,
    artefacts: createFolderArtefactStore(join(home, 'artefacts')),
    records: registry.records,
    home,
    metrics: { observe: () => undefined, batchSize: () => undefined },
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  opened.push(database, serving);
  await serving.start();
  return serving;
}

async function predict(serving: RunningServing, entityId: string | null = null) {
  const [outcome] = await serving.predict('m', [{ entityId, features: { x: 1 } }]);
  if (outcome?.ok !== true) throw new Error(JSON.stringify(outcome));
  expect(outcome.probability).toBeCloseTo(outcome.version / 10, 6);
  return outcome;
}

const stored = async () => Number((await t.sql`select count(*) as n from predictions`)[0]!['n']);

describe('the serving path on a real registry', () => {
  it('follows the routing, and stores predictions and counters under the rollout that was in force', async () => {
    await t.registry.routing.apply(routingChange('m'));
    const serving = await startServing();
    const first = await predict(serving, 'customer-1');
    const rolloutId = randomUUID();
    await t.registry.routing.apply(
      routingChange('m', { expectedGeneration: 1, rolloutId, routes: [champion(1, 0), candidate(2, 100)] }),
    );
    await vi.waitFor(() => expect(serving.served()[0]?.generation).toBe(2), { interval: 5 });
    const second = await predict(serving, 'customer-1');
    expect([first.version, second.version]).toEqual([1, 2]);
    await vi.waitFor(async () => expect(await stored()).toBe(2));
    expect(await t.registry.records.findPrediction(second.requestId)).toMatchObject({
      rolloutId,
      variant: 'candidate',
      version: 2,
      entityId: 'customer-1',
      features: { x: 1 },
      probability: second.probability,
    });
    await vi.waitFor(async () => {
      const observed = await t.registry.records.observe(rolloutId, 0);
      expect(observed.candidate).toMatchObject({ requests: 1, errors: 0 });
    });
  });

  it('answers every request through an outage of the database and loses no record of them', async () => {
    await t.registry.routing.apply(routingChange('m', { routes: [champion(1, 50), candidate(2, 50)] }));
    const serving = await startServing();
    const stop = new AbortController();
    let answered = 0;
    const client = async () => {
      while (!stop.signal.aborted) {
        await predict(serving);
        answered += 1;
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    const clients = [client(), client(), client()];
    await vi.waitFor(() => expect(answered).toBeGreaterThan(50));
    await proxy.cut();
    await vi.waitFor(() => expect(serving.status().reasons[0]).toMatch(/cannot be read/), { timeout: 5_000 });
    expect(serving.status().ready).toBe(true);
    const before = answered;
    await vi.waitFor(() => expect(answered).toBeGreaterThan(before + 50));
    await proxy.restore();
    await vi.waitFor(() => expect(serving.status().reasons).toEqual([]), { timeout: 10_000 });
    stop.abort();
    await Promise.all(clients);
    await vi.waitFor(async () => expect(await stored()).toBe(answered), { timeout: 10_000 });
    expect(serving.status().recordsDropped).toBe(0);
    await vi.waitFor(
      async () => {
        const [sum] = await t.sql`select sum(requests)::int as n from variant_counts`;
        expect(sum!['n']).toBe(answered);
      },
      { timeout: 10_000 },
    );
  });

  it('starts without the database on what it served last, and catches up when it is back', async () => {
    await t.registry.routing.apply(routingChange('m'));
    await (await startServing()).close();
    await proxy.cut();
    const serving = await startServing();
    expect(serving.status().ready).toBe(true);
    expect((await predict(serving)).version).toBe(1);
    await t.registry.routing.apply(routingChange('m', { expectedGeneration: 1, routes: [champion(2)] }));
    await proxy.restore();
    await vi.waitFor(() => expect(serving.served()[0]?.generation).toBe(2), { timeout: 10_000 });
    expect((await predict(serving)).version).toBe(2);
  });
});
