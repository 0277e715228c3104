/** What a set needs is locked as long as the set: artefacts, the log, and what was there before. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createAzureStore } from '../../../adapters/object-stores/azure-store.ts';
import { createGcsStore } from '../../../adapters/object-stores/gcs-store.ts';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { createS3Store } from '../../../adapters/object-stores/s3-store.ts';
import { artefactKey } from '../../../domain/recovery/layout.ts';
import { lockEnd } from '../../../domain/recovery/lock.ts';
import { createObjectWalStore } from '../../../recovery/postgres/object-wal-store.ts';
import { copyArtefacts } from '../../../recovery/vault/copy-artefacts.ts';
import { createWalCodec } from '../../../recovery/vault/wal-codec.ts';
import { AZURITE_KEY, motoMissing, startMoto } from '../../setup/object-store-servers.ts';
import { INSTALL_LIMIT_MS } from '../../setup/python-environment.ts';
import { startFakeGcs } from '../../support/fake-gcs.ts';
import { remove, startServer, startShipping, untilShipped } from './restore-world.ts';

const noPython = await motoMissing();
if (noPython !== null) console.warn(`skipped: ${noPython}`);

const { signal } = new AbortController();
const DAY_MS = 86_400_000;
const content = randomBytes(1_000);
const digest = createHash('sha256').update(content).digest('hex');
const key = artefactKey('plain', digest);
const piece = { timeline: 1, start: 0x2000000n, end: 0x2000100n, atMs: Date.now() };

let dir: string;
const stops: (() => Promise<void>)[] = [];
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'object-lock-'));
});
afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await rm(dir, { recursive: true, force: true });
});

/** As a backup that is begun at that moment does it. */
async function copyAt(store: ObjectStore, atMs: number, lockDays: number | null) {
  const artefacts = createFolderArtefactStore(dir);
  await artefacts.put(content);
  const lockUntil = lockEnd(lockDays, atMs);
  return copyArtefacts({ store, artefacts, digests: [digest], recipients: [], signal, lockUntil, extendLocks: true });
}

const logOf = (store: ObjectStore, lockDays: number, atMs: number) =>
  createObjectWalStore(store, '7', createWalCodec({ recipients: [], identities: [] }), { lockDays, nowMs: () => atMs });

/** A full second: stores keep no fractions. */
const now = Math.ceil(Date.now() / 1000) * 1000;

describe.skipIf(noPython !== null)('a bucket of S3 with object lock (moto)', () => {
  let endpoint: string;
  let store: ObjectStore;
  beforeAll(async () => {
    const moto = await startMoto();
    stops.push(moto.stop);
    endpoint = moto.endpoint;
    const headers = { 'x-amz-bucket-object-lock-enabled': 'true' };
    expect((await fetch(`${endpoint}/locked`, { method: 'PUT', headers })).ok).toBe(true);
    store = createS3Store({
      ...{ bucket: 'locked', prefix: '', region: 'us-east-1', endpoint, conditionalPut: true, objectLock: true },
      credentials: () => Promise.resolve({ accessKeyId: 'test', secretAccessKey: 'test' }),
    });
  }, INSTALL_LIMIT_MS);

  /** Somebody who has the credentials and wants it gone for good: the version, not a mark upon it. */
  async function destroy(wanted: string): Promise<number> {
    const head = await fetch(`${endpoint}/locked/${wanted}`, { method: 'HEAD' });
    const version = head.headers.get('x-amz-version-id') ?? '';
    return (await fetch(`${endpoint}/locked/${wanted}?versionId=${version}`, { method: 'DELETE' })).status;
  }

  it('keeps an artefact as long as the newest set that names it, whoever deletes it', async () => {
    expect(await copyAt(store, now, null)).toMatchObject({ uploaded: 1, extended: 0 });
    expect((await store.head(key))?.lockedUntilMs).toBeUndefined();
    // It was there before anybody asked for a lock.
    expect(await copyAt(store, now, 2)).toMatchObject({ uploaded: 0, extended: 1 });
    expect((await store.head(key))?.lockedUntilMs).toBe(now + 2 * DAY_MS);
    // The set of the next day.
    expect(await copyAt(store, now + DAY_MS, 2)).toMatchObject({ uploaded: 0, extended: 1 });
    expect((await store.head(key))?.lockedUntilMs).toBe(now + 3 * DAY_MS);
    // A second try of it, or a set of a target whose lock was made shorter.
    expect(await copyAt(store, now + DAY_MS, 1)).toMatchObject({ uploaded: 0, extended: 0 });
    expect((await store.head(key))?.lockedUntilMs).toBe(now + 3 * DAY_MS);
    expect(await destroy(key)).toBe(403);
    expect((await store.head(key))?.bytes).toBeGreaterThan(0);
  });

  it('keeps each piece of the log so many days from its writing, in one version', async () => {
    const log = logOf(store, 2, now);
    await log.put(piece, randomBytes(256));
    // The answer to the first was lost.
    await log.put(piece, randomBytes(256));
    expect(await log.lockedUntilMs(piece)).toBe(now + 2 * DAY_MS);
    const [stored] = await keysOf(store, 'wal/');
    expect(await destroy(stored ?? '')).toBe(403);
    const versions = await (await fetch(`${endpoint}/locked?versions&prefix=wal/`)).text();
    expect(versions.match(/<VersionId>/g)).toHaveLength(1);
    // The shipper, when the whole segment is there: hidden, and not destroyed.
    await log.remove(piece);
    expect(await log.pieces()).toEqual([]);
    expect(await (await fetch(`${endpoint}/locked?versions&prefix=wal/`)).text()).toContain('<Size>');
  });

  it('locks restore points and histories of timelines as well', async () => {
    const log = logOf(store, 2, now);
    await log.putHistory(2, '1\t0/2000100\tno recovery target specified\n');
    await log.putPoint({ name: 'release', timeline: 2, lsn: 0x2000100n, atMs: now });
    const stored = (await keysOf(store, 'wal/')).filter((one) => /history|points/.test(one));
    expect(stored).toHaveLength(2);
    for (const one of stored) expect((await store.head(one))?.lockedUntilMs).toBe(now + 2 * DAY_MS);
  });
});

describe('Google Cloud Storage with locks of single objects (a fake by its reference)', () => {
  it('is sent the date with artefacts and log, lengthens it, and refuses to delete before', async () => {
    const fake = await startFakeGcs('backups');
    stops.push(fake.stop);
    const options = { bucket: 'backups', prefix: '', endpoint: fake.endpoint, objectLock: true };
    const store = createGcsStore({ ...options, token: () => Promise.resolve(null) });
    const until = (days: number) => ({ mode: 'Locked', retainUntilTime: new Date(now + days * DAY_MS).toISOString() });
    expect(await copyAt(store, now, 2)).toMatchObject({ uploaded: 1, extended: 0 });
    expect(fake.retentions.get(key)).toEqual(until(2));
    expect(await copyAt(store, now + DAY_MS, 2)).toMatchObject({ uploaded: 0, extended: 1 });
    expect(fake.retentions.get(key)).toEqual(until(3));
    await expect(store.delete(key)).rejects.toMatchObject({ code: 'refused' });
    await expect(store.extendLock?.(key, new Date(now + DAY_MS))).rejects.toMatchObject({ code: 'refused' });
    const log = logOf(store, 2, now);
    await log.put(piece, randomBytes(256));
    expect(await log.lockedUntilMs(piece)).toBe(now + 2 * DAY_MS);
    await expect(log.remove(piece)).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('the shipping of the log into a store whose locks refuse every deletion', () => {
  it('goes on, tries once per segment, and leaves the segment beside its pieces', async () => {
    const fake = await startFakeGcs('backups');
    stops.push(fake.stop);
    const options = { bucket: 'backups', prefix: '', endpoint: fake.endpoint, objectLock: true };
    const gcs = createGcsStore({ ...options, token: () => Promise.resolve(null) });
    let refused = 0;
    const store: ObjectStore = {
      ...gcs,
      put: (name, bytes, put) => gcs.put(name, bytes, { ...put, lockUntil: new Date(now + DAY_MS) }),
      delete: (name, call) => {
        refused += 1;
        return gcs.delete(name, call);
      },
    };
    const running = await startServer();
    const shipping = startShipping(running.server.databaseUrl, store);
    try {
      for (let n = 0; n < 3; n++) {
        await running.query(`select pg_logical_emit_message(true, 'test', 'piece')`);
        await untilShipped(running, shipping);
      }
      await running.query('select pg_switch_wal()');
      await running.query(`select pg_logical_emit_message(true, 'test', 'next segment')`);
      await untilShipped(running, shipping);
      const { systemId, problem } = shipping.shipper.status();
      expect(problem).toBeNull();
      const log = createObjectWalStore(store, systemId ?? '', createWalCodec({ recipients: [], identities: [] }));
      const sizes = (await log.pieces()).map(({ start, end }) => Number(end - start));
      expect(sizes.filter((bytes) => bytes === 16 * 1024 * 1024)).toHaveLength(1);
      expect(sizes.length).toBeGreaterThanOrEqual(5);
      expect(refused).toBe(1);
    } finally {
      await shipping.stop();
      await running.stop();
      remove(running.home);
    }
  }, 60_000);
});

// Azurite knows no immutability: it takes the headers of a write without a word, and answers the policy's own call with
// 501. So this proves what is sent, against Microsoft's reference, and nothing of what the service does with it.
describe('Azure Blob with immutability by version (requests, recorded)', () => {
  it('is sent the date with artefacts and log as a locked policy, and again to lengthen it', async () => {
    const { endpoint, requests, stop } = await startRecorder();
    stops.push(stop);
    const store = createAzureStore({
      ...{ account: 'mine', container: 'backups', prefix: '', endpoint, objectLock: true },
      credentials: () => Promise.resolve({ kind: 'key', key: AZURITE_KEY }),
    });
    const policy = (days: number) => ({
      'x-ms-immutability-policy-mode': 'locked',
      'x-ms-immutability-policy-until-date': new Date(now + days * DAY_MS).toUTCString(),
    });
    await copyAt(store, now, 2);
    expect(requests.at(-1)).toMatchObject({ method: 'PUT', url: `/backups/${key}`, headers: policy(2) });
    await copyAt(store, now + DAY_MS, 2);
    const url = `/backups/${key}?comp=immutabilityPolicies`;
    expect(requests.at(-1)).toMatchObject({ method: 'PUT', url, headers: policy(3) });
    expect((await store.head(key))?.lockedUntilMs).toBe(now + 3 * DAY_MS);
    await logOf(store, 2, now).put(piece, randomBytes(256));
    expect(requests.at(-1)?.url).toContain('/backups/wal/7/00000001/');
    expect(requests.at(-1)?.headers).toMatchObject(policy(2));
  });
});

interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** Remembers what it was asked, and tells back the policies of blobs. */
async function startRecorder() {
  const requests: Recorded[] = [];
  const policies = new Map<string, Record<string, string>>();
  const server = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    const [path = ''] = url.split('?');
    request.resume().on('end', () => {
      requests.push({ method, url, headers });
      const until = headers['x-ms-immutability-policy-until-date'];
      if (method === 'PUT') policies.set(path, { 'x-ms-immutability-policy-until-date': String(until) });
      if (method === 'PUT') response.writeHead(url.includes('comp=immutabilityPolicies') ? 200 : 201).end();
      else if (method === 'HEAD') response.writeHead(200, policies.get(path) ?? {}).end();
      else {
        const blobs = [...policies.keys()].map((one) => `<Blob><Name>${one.replace('/backups/', '')}</Name></Blob>`);
        response.writeHead(200).end(`<EnumerationResults><Blobs>${blobs.join('')}</Blobs></EnumerationResults>`);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function keysOf(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const info of store.list(prefix)) found.push(info.key);
  return found;
}
