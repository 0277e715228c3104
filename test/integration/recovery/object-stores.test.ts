import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAzureStore } from '../../../adapters/object-stores/azure-store.ts';
import { createFolderStore } from '../../../adapters/object-stores/folder-store.ts';
import { createGcsStore } from '../../../adapters/object-stores/gcs-store.ts';
import type { ObjectStore } from '../../../adapters/object-stores/object-store.ts';
import { requireUsable } from '../../../adapters/object-stores/require-usable.ts';
import { createS3Store } from '../../../adapters/object-stores/s3-store.ts';
import { startFakeGcs } from '../../support/fake-gcs.ts';
import { describeLease } from '../../support/lease-stories.ts';
import { INSTALL_LIMIT_MS } from '../../setup/python-environment.ts';
import {
  AZURITE_ACCOUNT,
  AZURITE_KEY,
  azuriteMissing,
  motoMissing,
  startAzurite,
  startMoto,
} from '../../setup/object-store-servers.ts';

const noPython = await motoMissing();
const noAzurite = await azuriteMissing();
for (const line of new Set([noPython, noAzurite])) if (line !== null) console.warn(`skipped: ${line}`);

interface World {
  readonly store: ObjectStore;
  /** The same kind of store, with a bucket that is not there. */
  readonly elsewhere: ObjectStore;
  readonly stop: () => Promise<void>;
}

const stops: (() => Promise<void>)[] = [];

async function folder(): Promise<World> {
  const dir = await mkdtemp(join(tmpdir(), 'folder-store-'));
  const elsewhere = createFolderStore('/dev/null/backups');
  return { store: createFolderStore(dir), elsewhere, stop: () => rm(dir, { recursive: true, force: true }) };
}

async function s3(): Promise<World> {
  const { endpoint, stop } = await startMoto();
  await fetch(`${endpoint}/backups`, { method: 'PUT' });
  const credentials = () => Promise.resolve({ accessKeyId: 'test', secretAccessKey: 'test' });
  const open = (bucket: string) =>
    createS3Store({
      bucket,
      prefix: 'a/b/',
      region: 'us-east-1',
      endpoint,
      conditionalPut: true,
      objectLock: false,
      credentials,
    });
  return { store: open('backups'), elsewhere: open('nowhere'), stop };
}

async function azure(): Promise<World> {
  const { endpoint, stop } = await startAzurite();
  const open = (container: string, prefix: string) =>
    createAzureStore({
      account: AZURITE_ACCOUNT,
      container,
      prefix,
      endpoint,
      objectLock: false,
      credentials: () => Promise.resolve({ kind: 'key', key: AZURITE_KEY }),
    });
  await createContainer(endpoint);
  return { store: open('backups', 'a/b/'), elsewhere: open('nowhere', ''), stop };
}

/** Containers are made by people, not by the driver. */
async function createContainer(endpoint: string): Promise<void> {
  const { createHmac } = await import('node:crypto');
  const date = new Date().toUTCString();
  const head = `x-ms-date:${date}\nx-ms-version:2021-12-02`;
  const path = new URL(endpoint).pathname;
  const text = `PUT\n\n\n\n\n\n\n\n\n\n\n\n${head}\n/${AZURITE_ACCOUNT}${path}/backups\nrestype:container`;
  const signature = createHmac('sha256', Buffer.from(AZURITE_KEY, 'base64')).update(text).digest('base64');
  const answer = await fetch(`${endpoint}/backups?restype=container`, {
    method: 'PUT',
    headers: {
      'x-ms-date': date,
      'x-ms-version': '2021-12-02',
      authorization: `SharedKey ${AZURITE_ACCOUNT}:${signature}`,
    },
  });
  expect(answer.status).toBe(201);
}

async function gcs(): Promise<World> {
  const { endpoint, stop } = await startFakeGcs('backups');
  const open = (bucket: string) =>
    createGcsStore({ bucket, prefix: 'a/b/', endpoint, objectLock: false, token: () => Promise.resolve(null) });
  return { store: open('backups'), elsewhere: open('nowhere'), stop };
}

afterAll(async () => {
  await Promise.all(stops.map((stop) => stop()));
});

const stores = [
  { name: 'a folder', start: folder, missing: null },
  { name: 'S3 (moto)', start: s3, missing: noPython },
  { name: 'Azure Blob (Azurite)', start: azure, missing: noAzurite },
  { name: 'Google Cloud Storage (a fake by its reference)', start: gcs, missing: null },
];

async function* stream(bytes: Uint8Array, chunkBytes = 1_000_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunkBytes)
    yield await Promise.resolve(bytes.subarray(at, at + chunkBytes));
}

async function read(store: ObjectStore, key: string, from = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of (await store.get(key, { from })).content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function keys(store: ObjectStore, prefix: string, after?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const info of store.list(prefix, after === undefined ? {} : { after })) found.push(info.key);
  return found;
}

for (const { name, start, missing } of stores) {
  describe.skipIf(missing !== null)(`an object store: ${name}`, () => {
    let world: World;
    beforeAll(async () => {
      world = await start();
      stops.push(world.stop);
    }, INSTALL_LIMIT_MS);

    describeLease(() => world.store);

    it('keeps small and large objects byte for byte', async () => {
      // More than two parts, the last one not whole.
      for (const bytes of [randomBytes(0), randomBytes(1234), randomBytes(17 * 1024 * 1024 + 5)]) {
        const key = `sets/${randomUUID()}/files/postgres/base.tar`;
        const seen: number[] = [];
        const put = await world.store.put(key, stream(bytes), { ifNoneMatch: '*', onProgress: (n) => seen.push(n) });
        expect(put).toEqual({ key, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') });
        expect((await read(world.store, key)).equals(bytes)).toBe(true);
        expect((await world.store.head(key))?.bytes).toBe(bytes.byteLength);
        expect(seen.at(-1) ?? 0).toBe(bytes.byteLength);
        if (bytes.byteLength > 1000)
          expect((await read(world.store, key, 1000)).equals(bytes.subarray(1000))).toBe(true);
        await world.store.delete(key);
        expect(await world.store.head(key)).toBeNull();
      }
    });

    it('never overwrites a key that was to be new', async () => {
      const large = randomBytes(9 * 1024 * 1024);
      await world.store.put('once/manifest.json', stream(Buffer.from('first')), { ifNoneMatch: '*' });
      for (const second of [Buffer.from('second'), large]) {
        await expect(world.store.put('once/manifest.json', stream(second), { ifNoneMatch: '*' })).rejects.toMatchObject(
          { code: 'conflict' },
        );
      }
      expect((await read(world.store, 'once/manifest.json')).toString()).toBe('first');
    });

    it('stores nothing when the content is not what was announced, or ends with an error', async () => {
      const wrong = { sha256: 'a'.repeat(64) };
      await expect(world.store.put('bad/digest', stream(Buffer.from('x')), wrong)).rejects.toMatchObject({
        code: 'artefactCorrupt',
      });
      async function* broken(): AsyncGenerator<Uint8Array> {
        yield randomBytes(9 * 1024 * 1024);
        await Promise.resolve();
        throw new Error('the source broke');
      }
      await expect(world.store.put('bad/broken', broken())).rejects.toThrow('the source broke');
      expect(await keys(world.store, 'bad/')).toEqual([]);
    });

    it('lists keys below a prefix in text order, and those after one', async () => {
      const names = ['list/a', 'list/a-b/1', 'list/a/2', 'list/b c+d&e/3', 'lisu'];
      for (const key of ['list/a-b/1', 'list/b c+d&e/3', 'lisu', 'list/a/2'])
        await world.store.put(key, stream(Buffer.from(key)));
      const expected = names.filter((key) => key.startsWith('list/') && key !== 'list/a').sort();
      expect(await keys(world.store, 'list/')).toEqual(expected);
      expect(await keys(world.store, 'list/', expected[0])).toEqual(expected.slice(1));
    });

    it('says what is wrong with a bucket that is not there, and with a missing key', async () => {
      await expect(requireUsable(world.elsewhere, AbortSignal.timeout(20_000))).rejects.toMatchObject({
        code: 'invalidInput',
      });
      await expect(world.store.get('nothing/here')).rejects.toMatchObject({ code: 'notFound' });
      await requireUsable(world.store, AbortSignal.timeout(20_000));
      expect(await keys(world.store, 'probes/')).toEqual([]);
    });

    it('stops when it is told to', async () => {
      const controller = new AbortController();
      async function* endless(): AsyncGenerator<Uint8Array> {
        for (let n = 0; ; n++) {
          if (n === 20) controller.abort(new Error('told to stop'));
          yield await Promise.resolve(randomBytes(1024 * 1024));
        }
      }
      await expect(world.store.put('stopped', endless(), { signal: controller.signal })).rejects.toThrow(
        'told to stop',
      );
      expect(await world.store.head('stopped')).toBeNull();
    });
  });
}

describe.skipIf(noPython !== null)('a bucket with object lock', () => {
  it(
    'tells until when it keeps an object',
    async () => {
      const { endpoint, stop } = await startMoto();
      stops.push(stop);
      const headers = { 'x-amz-bucket-object-lock-enabled': 'true' };
      expect((await fetch(`${endpoint}/locked`, { method: 'PUT', headers })).ok).toBe(true);
      const store = createS3Store({
        bucket: 'locked',
        prefix: '',
        region: 'us-east-1',
        endpoint,
        conditionalPut: true,
        objectLock: true,
        credentials: () => Promise.resolve({ accessKeyId: 'test', secretAccessKey: 'test' }),
      });
      const lockUntil = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);
      await store.put('kept', stream(Buffer.from('kept')), { lockUntil });
      await store.put('free', stream(Buffer.from('free')));
      expect((await store.head('kept'))?.lockedUntilMs).toBe(lockUntil.getTime());
      expect((await store.head('free'))?.lockedUntilMs).toBeUndefined();
    },
    INSTALL_LIMIT_MS,
  );
});

describe('Google Cloud Storage', () => {
  it('sends the rest of a part again when the service kept less of it', async () => {
    const fake = await startFakeGcs('backups');
    stops.push(fake.stop);
    const options = { bucket: 'backups', prefix: '', endpoint: fake.endpoint, objectLock: false };
    const store = createGcsStore({ ...options, token: () => Promise.resolve(null) });
    const bytes = randomBytes(9 * 1024 * 1024);
    fake.keepNextPart(512 * 1024);
    await store.put('large', stream(bytes));
    expect(fake.objects.get('large')?.equals(bytes)).toBe(true);
  });
});
