import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection, type WorkflowHandle } from '@temporalio/client';
import { DefaultLogger } from '@temporalio/worker';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { createWebhookSecret, signedHeaders } from '../../../adapters/webhooks/signature.ts';
import { postgresBase } from '../../../infra/embedded/postgres-cluster.ts';
import { holdRegion } from '../../../recovery/region/hold-region.ts';
import { ownDatabaseUrl } from '../../../recovery/region/own-database.ts';
import { readRegionHome } from '../../../recovery/region/region-home.ts';
import { createRegionObjects } from '../../../recovery/region/region-objects.ts';
import { seedCopy } from '../../../recovery/region/warm-copy.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { bundleWorkflows } from '../../../workers/workflow-bundle.ts';
import { FAILOVER_WORKFLOW, type FailoverRegionResult } from '../../../workflows/failover-messages.ts';
import { waitFor } from '../../support/platform.ts';
import { query } from '../../support/query.ts';
import { quiet } from '../../workflow/environment.ts';
import type { FailoverCase, FailoverWorkerOrder } from './failover-worker.ts';
import { prepareWorker, startWorld, writeOn, type WorkerProcess, type World, type Writer } from './failover-world.ts';
import { createLostRegions, type LostRegions } from './lost-regions.ts';
import { backUp, createPlatformWorld, type PlatformWorld } from './platform-world.ts';
import {
  remove,
  startServer,
  startShipping,
  untilShipped,
  type RunningServer,
  type Shipping,
} from './restore-world.ts';

/** A lease that nobody renews has run out after it and a second more. */
const TTL_MS = 2_000;
/** Where the worker is killed, in the order in which a failover passes the points. */
const KILLED = ['claimed', 'promoted', 'handedOver', 'proving', 'calling'];
const CASES = ['whole', ...KILLED];
/** The region before lives on in this one and stops in order; in the others it is lost. */
const ORDERLY = 'claimed';
const LOST = CASES.filter((name) => name !== ORDERLY);
const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };
const SECRET = createWebhookSecret();

let world: PlatformWorld;
let shipping: Shipping;
let outside: World;
let client: Client;
let order: FailoverWorkerOrder;
let shippedLsn: string;
let lost: LostRegions;
const halt = new AbortController();
const loss = new AbortController();
const lostHolders: Promise<void>[] = [];
const processes: WorkerProcess[] = [];
const platforms = new Map<string, RunningServer>();
const writers = new Map<string, { readonly east: Writer; readonly west: Writer }>();
const points = new Set<string>();
let proves = false;

const homeOf = (name: string): string => join(order.dir, name, 'home');
const eastUrl = (name: string): string =>
  name === ORDERLY ? world.running.server.databaseUrl : lost.databaseUrl(name);

function hookOf(name: string): FailoverCase {
  const webhook = { kind: 'webhook', url: `${outside.origin}/${name}/hook`, secret: SECRET } as const;
  if (name === 'whole' || name === 'calling') return { name, allowPrivate: true, hook: webhook };
  // This machine's own addresses are not called unless that is allowed: a hook that fails for good.
  if (name === 'promoted') return { name, allowPrivate: false, hook: webhook };
  const script = 'require("fs").writeFileSync(process.argv[1], process.argv.slice(2).join(" "))';
  const args = [join(order.dir, name, 'moved'), '{region}', '{epoch}', '{previous}', '{api}'] as const;
  const hook = { kind: 'command', command: [process.execPath, '-e', script, ...args] } as const;
  return { name, allowPrivate: false, hook: name === ORDERLY ? hook : null };
}

/** The region before: holds its lease until it is lost, while its database goes on and is written to. */
function beginEast(name: string): Writer {
  const party = {
    region: 'east',
    holder: randomUUID(),
    ttlMs: TTL_MS,
    objects: createRegionObjects(createFolderStore(join(order.dir, name, 'group')), world.keys),
    monotonicMs: () => performance.now(),
    nowMs: Date.now,
    sleep: (ms: number) => sleep(ms),
  };
  const until = name === ORDERLY ? halt.signal : AbortSignal.any([halt.signal, loss.signal]);
  const holding = holdRegion({ party, databaseUrl: () => eastUrl(name), tell: () => undefined, log: QUIET }, until);
  if (name !== ORDERLY) lostHolders.push(holding);
  return writeOn(() => eastUrl(name));
}

const beginWriting = (name: string) => ({
  east: beginEast(name),
  west: writeOn(() => ownDatabaseUrl(homeOf(name), null)),
});
const untilEastWrites = (names: readonly string[]): Promise<unknown> =>
  waitFor(
    () => names.every((name) => writers.get(name)?.east.taken.some(({ epoch }) => epoch === 1)),
    30_000,
    'the first regions to write',
  );

/** As the supervisor does: the platform of a home starts when it is not a standby any more. */
async function superviseWest(name: string): Promise<void> {
  const home = homeOf(name);
  while (!halt.signal.aborted && readRegionHome(home)?.role !== 'active') await sleep(200);
  if (halt.signal.aborted) return;
  platforms.set(name, await startServer(home));
  writeFileSync(join(home, 'run', 'platform.json'), JSON.stringify({ api: { url: `${outside.origin}/${name}` } }));
}

describe('a failover between two regions', () => {
  beforeAll(async () => {
    quiet();
    const bundle = bundleWorkflows(new DefaultLogger('ERROR'));
    [world, lost] = await Promise.all([createPlatformWorld(), createLostRegions(LOST)]);
    outside = await startWorld({
      isReady: (name) => {
        if (name !== 'proving') return true;
        points.add(name);
        return proves;
      },
      served: async (name) => {
        const text = `select version from model_aliases where model = 'tiny' and alias = 'champion'`;
        return Number((await query(ownDatabaseUrl(homeOf(name), null) ?? '', text))[0]?.['version']);
      },
      hookStatus: (name, nth) => {
        if (name === 'whole') return nth === 1 ? 503 : 204;
        points.add(name);
        return nth === 1 ? null : 204;
      },
    });
    const dir = join(world.folder, 'failovers');
    order = {
      address: inject('TEMPORAL_ADDRESS'),
      taskQueue: `failovers-${randomUUID()}`,
      bundle: join(dir, 'bundle.js'),
      dir,
      shared: join(world.folder, 'target'),
      signingKey: join(world.folder, 'signing-key.pem'),
      identityFile: join(dir, 'key.txt'),
      recipient: world.keys.recipients[0] ?? '',
      ttlMs: TTL_MS,
      cases: [],
      armed: true,
    };
    for (const name of CASES)
      for (const part of ['group', 'home/run']) mkdirSync(join(dir, name, part), { recursive: true });
    order = { ...order, cases: CASES.map(hookOf) };
    writeFileSync(order.identityFile, `${world.keys.identities[0] ?? ''}\n`);
    writers.set(ORDERLY, beginWriting(ORDERLY));
    await untilEastWrites([ORDERLY]);
    const { running } = world;
    shipping = startShipping(running.server.databaseUrl, world.target.store, createWalCodec(world.keys), 500);
    await backUp(world, running, world.artefactDir);
    const seed = join(world.folder, 'seed');
    await seedCopy(world.target, seed, halt.signal);
    for (const name of CASES) {
      writeFileSync(join(homeOf(name), 'first-key'), 'key\n');
      execFileSync('cp', ['-a', seed, join(postgresBase(homeOf(name)).base, 'data.standby')]);
      void superviseWest(name);
    }
    for (const name of LOST) writers.set(name, beginWriting(name));
    await running.query(`insert into notes(body) select 'second' from generate_series(1, 50)`);
    await untilShipped(running, shipping);
    const [log] = await running.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
    shippedLsn = log?.lsn ?? '';
    await untilEastWrites(CASES);
    client = new Client({ connection: await Connection.connect({ address: order.address }) });
    writeFileSync(order.bundle, await bundle);
  });
  afterAll(async () => {
    halt.abort();
    await Promise.all(processes.map((one) => one.end((child) => child.disconnect())));
    await Promise.all([...writers.values()].flatMap(({ east, west }) => [east.stop(), west.stop()]));
    await Promise.allSettled([shipping.stop(), client.connection.close(), outside.close()]);
    await Promise.allSettled([world.running, ...platforms.values()].map((server) => server.stop()));
    await lost.drop();
    remove(world.folder);
  });

  it('ends right wherever its process is killed, and no epoch ever has two regions that take control writes', async () => {
    const [first, second] = [prepareWorker(points), prepareWorker(points)];
    processes.push(first, second);
    await first.begin({ ...order, armed: true });
    loss.abort();
    // A renewal that is under way ends: after the claim, it would be the orderly stop of a region that lives.
    await Promise.all(lostHolders);
    const args = [{ confirm: 'west', reason: 'east is lost', requestedBy: 'test' }];
    const handles = new Map<string, WorkflowHandle<() => Promise<FailoverRegionResult>>>();
    for (const name of CASES) {
      const start = { taskQueue: order.taskQueue, workflowId: `${name}.${order.taskQueue}`, args };
      handles.set(name, await client.workflow.start(FAILOVER_WORKFLOW, start));
    }
    const whole = await handles.get('whole')?.result();
    const missing = (): string => KILLED.filter((point) => !points.has(point)).join(', ');
    await waitFor(
      () => missing() === '',
      60_000,
      () => `all points; not yet: ${missing()}`,
    );
    // Promoted, and not yet this region's: a database that could write refuses to.
    const write = query(standbyUrl('promoted'), `update model_aliases set updated_by = 'x'`);
    await expect(write).rejects.toMatchObject({ code: 'SLFEN' });
    await first.end((child) => child.kill('SIGKILL'));
    // As a kill in the middle of handing over leaves it: in its place, and not yet said to be whole.
    rmSync(join(postgresBase(homeOf('handedOver')).base, 'data.restored.ready'));
    proves = true;
    await second.begin({ ...order, armed: false });
    const results = new Map([['whole', whole]]);
    for (const name of KILLED) results.set(name, await handles.get(name)?.result());
    await waitFor(
      () => CASES.every((name) => writers.get(name)?.west.taken.length),
      20_000,
      () =>
        `control writes in the second regions: ${CASES.filter((name) => !writers.get(name)?.west.taken.length).join(', ')}`,
    );
    for (const name of CASES) {
      const released = name === ORDERLY;
      const answer = { region: 'west', previous: 'east', epoch: 2, released };
      const missingBytes = released ? 0 : null;
      expect(results.get(name), name).toMatchObject({ ...answer, promotion: { missingBytes, missingArtefacts: [] } });
      expect(results.get(name)?.proof.models, name).toEqual([{ model: 'tiny', version: 1, rows: 1 }]);
      expectOneOwner(name);
      await expectWholeDatabase(name, results.get(name)?.promotion.reachedLsn ?? '0/0');
    }
    expect(writers.get(ORDERLY)?.east.refusal()).toBe('region west owns epoch 2, not region east');
    expectHooks(results);
  }, 180_000);
});

function expectHooks(results: ReadonlyMap<string, FailoverRegionResult | undefined>): void {
  // A hook that failed once, one whose process was killed while it was called: called again, as the same call.
  for (const name of ['whole', 'calling']) {
    const calls = outside.calls.get(name) ?? [];
    expect(calls.length, name).toBe(2);
    expect(new Set(calls.map(({ headers }) => headers['webhook-id'])), name).toEqual(new Set(['failover.west.2']));
    for (const { body, headers } of calls) {
      const event = {
        type: 'region.failover',
        region: 'west',
        epoch: 2,
        previous: 'east',
        api: `${outside.origin}/${name}`,
      };
      expect(JSON.parse(body), name).toEqual(event);
      const signed = { id: 'failover.west.2', atMs: Number(headers['webhook-timestamp']) * 1_000, body };
      expect(headers).toMatchObject(signedHeaders(signed, SECRET));
    }
    expect(results.get(name), name).toMatchObject({
      traffic: `told ${new URL(outside.origin).host}`,
      trafficProblem: null,
    });
  }
  expect(readFileSync(join(order.dir, ORDERLY, 'moved'), 'utf8')).toBe(`west 2 east ${outside.origin}/${ORDERLY}`);
  // A hook that fails for good takes nothing back: the region has been written to all the same.
  expect(results.get('promoted')).toMatchObject({ traffic: null });
  expect(results.get('promoted')?.trafficProblem).toContain('This address may not be called');
}

function expectOneOwner(name: string): void {
  const { east, west } = writers.get(name) ?? {};
  const of = (epoch: number): Set<string> =>
    new Set([...(east?.taken ?? []), ...(west?.taken ?? [])].filter((w) => w.epoch === epoch).map((w) => w.region));
  expect([of(1), of(2)], name).toEqual([new Set(['east']), new Set(['west'])]);
  const lastEastMs = Math.max(...(east?.taken ?? []).map((write) => write.sentMs));
  const firstWestMs = Math.min(...(west?.taken ?? []).map((write) => write.answeredMs));
  expect(lastEastMs, name).toBeLessThan(firstWestMs);
  expect(
    west?.taken.filter(({ epoch }) => epoch !== 2),
    name,
  ).toEqual([]);
}

async function expectWholeDatabase(name: string, reachedLsn: string): Promise<void> {
  const url = ownDatabaseUrl(homeOf(name), null) ?? '';
  expect(await query(url, 'select count(*)::int as n from notes'), name).toEqual([{ n: 150 }]);
  expect(await query(url, 'select epoch, state, region from platform_epoch'), name).toEqual([
    { epoch: 2, state: 'active', region: 'west' },
  ]);
  const all = `select '${reachedLsn}'::pg_lsn >= '${shippedLsn}'::pg_lsn as all`;
  expect(await query(url, all), `${name} replayed to ${reachedLsn} of ${shippedLsn}`).toEqual([{ all: true }]);
  expect(existsSync(join(postgresBase(homeOf(name)).base, 'data.standby')), name).toBe(false);
}

function standbyUrl(name: string): string {
  const conf = readFileSync(join(postgresBase(homeOf(name)).base, 'standby', 'postgresql.conf'), 'utf8');
  const dir = /unix_socket_directories = '([^']+)'/.exec(conf)?.[1] ?? '';
  return `postgres://sluice@/sluice?host=${encodeURIComponent(dir)}&port=5432`;
}
