import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isPublicAddress } from '../../../../adapters/webhooks/address-guard.ts';
import { createNotifier } from '../../../../adapters/webhooks/create-notifier.ts';
import { postJson, urlProblems } from '../../../../adapters/webhooks/post-json.ts';
import { createSealer, readSealingKey } from '../../../../adapters/webhooks/sealer.ts';
import { createWebhookSecret } from '../../../../adapters/webhooks/signature.ts';
import type { RolloutNotice } from '../../../../domain/rollout/notices.ts';

const notice: RolloutNotice = {
  id: 'a1/rollback/1000',
  kind: 'rollout.rollback',
  rolloutId: 'a1',
  model: 'leavers',
  candidate: 3,
  champion: 2,
  phase: 'rolledBack',
  weightPercent: 0,
  message: 'leavers version 3 was rolled back: 2 % of 900 requests failed <limit 0.1 %>',
  reason: 'errorRate',
  atMs: 1_750_000_000_000,
};

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly path: string;
}

let server: Server;
let received: Received[];
let statuses: number[];
let url: string;
let folder: string;

beforeEach(async () => {
  received = [];
  statuses = [];
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      received.push({ headers: request.headers, body, path: request.url ?? '' });
      response.writeHead(statuses.shift() ?? 200, { location: '/elsewhere' }).end('thank you');
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks/secret-path`;
  folder = await mkdtemp(join(tmpdir(), 'sluice-webhooks-'));
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  await rm(folder, { recursive: true, force: true });
});

const sealer = () => createSealer(() => readSealingKey(null, join(folder, 'home', 'sealing.key')));

async function setUp(formats: readonly ('standard' | 'slack')[], events: readonly string[] = []) {
  const secret = createWebhookSecret();
  const seal = sealer();
  const hooks = await Promise.all(
    formats.map(async (format, i) => {
      const sealed = await seal.seal(JSON.stringify({ url, secret }));
      return { id: `hook-${i}`, target: '127.0.0.1', format, sealed, events };
    }),
  );
  const note = vi.fn<(id: string, outcome: string) => Promise<void>>(() => Promise.resolve());
  const notifier = createNotifier({
    webhooks: { list: () => Promise.resolve(hooks), note },
    sealer: seal,
    post: { allowPrivate: true },
    now: Date.now,
  });
  return { secret, notifier, note, hooks };
}

describe('notifications', () => {
  it('carry a signature that the Standard Webhooks library accepts, and refuses when a byte is changed', async () => {
    const { secret, notifier, note } = await setUp(['standard']);
    await notifier.notify(notice);
    const [{ headers, body }] = received as [Received];
    const verified = new Webhook(secret).verify(body, headers as Record<string, string>);
    expect(verified).toMatchObject({
      type: 'rollout.rollback',
      timestamp: '2025-06-15T15:06:40.000Z',
      data: { id: notice.id, rollout_id: 'a1', model: 'leavers', weight_percent: 0 },
    });
    const changed = body.replace('leavers', 'leaverz');
    expect(() => new Webhook(secret).verify(changed, headers as Record<string, string>)).toThrow();
    expect(headers['webhook-id']).toBe(notice.id);
    expect(note).toHaveBeenCalledWith('hook-0', 'delivered');
  });

  it('are messages that Slack shows, with its control characters escaped', async () => {
    const { notifier } = await setUp(['slack']);
    await notifier.notify(notice);
    const body = JSON.parse(received[0]!.body) as { text: string; blocks: { type: string }[] };
    expect(body.text).toContain('&lt;limit 0.1 %&gt;');
    expect(body.blocks.map((b) => b.type)).toEqual(['section', 'section', 'context']);
    expect(received[0]!.body).toContain('*model* leavers');
  });

  it('reach those that listen to them alone', async () => {
    const { notifier } = await setUp(['standard'], ['rollout.promoted']);
    await notifier.notify(notice);
    expect(received).toEqual([]);
  });

  it('are sent again to those alone that did not take them, and never name the path of an address', async () => {
    const { notifier, note } = await setUp(['standard', 'standard']);
    statuses = [503, 200];
    const failure = await notifier.notify(notice).catch((e: unknown) => e as Error);
    expect(failure).toMatchObject({ code: 'unavailable', message: /status 503/ });
    expect(JSON.stringify([failure, (failure as Error).message, note.mock.calls])).not.toContain('secret-path');
    await notifier.notify(notice);
    expect(received).toHaveLength(3);
    await notifier.notify(notice);
    expect(received).toHaveLength(3);
  });

  it('do not follow redirects', async () => {
    const { notifier } = await setUp(['standard']);
    statuses = [302];
    await expect(notifier.notify(notice)).rejects.toMatchObject({ message: /redirects are not followed/ });
    expect(received.map((r) => r.path)).toEqual(['/hooks/secret-path']);
  });

  it('end when nobody answers', async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((ready) => silent.listen(0, '127.0.0.1', ready));
    const address = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/`;
    const sending = postJson(address, '{}', {}, { allowPrivate: true, timeoutMs: 50 });
    await expect(sending).rejects.toMatchObject({ code: 'unavailable', message: /no answer within 50 ms/ });
    silent.closeAllConnections();
    silent.close();
  });
});

describe('addresses', () => {
  it.each([
    ['127.0.0.1', false],
    ['10.1.2.3', false],
    ['172.31.0.1', false],
    ['192.168.1.1', false],
    ['169.254.169.254', false],
    ['100.64.0.1', false],
    ['0.0.0.0', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['fe80::1', false],
    ['fd00::1', false],
    ['::ffff:10.0.0.1', false],
    ['::ffff:8.8.8.8', true],
    ['64:ff9b::a00:1', false],
    ['2002:a00:1::', false],
    ['8.8.8.8', true],
    ['2606:4700::1111', true],
    ['no address', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublicAddress(address)).toBe(expected);
  });

  it.each([
    'http://hooks.example.com/x',
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://[::ffff:169.254.169.254]/latest',
    'https://0x7f000001/x',
    'https://2130706433/',
    'https://localhost/x',
    'https://user:pass@hooks.example.com/x',
    'ftp://hooks.example.com/x',
    'nonsense',
  ])('%s may not be called', (address) => {
    expect(urlProblems(address, { allowPrivate: false })).not.toEqual([]);
  });

  it('are refused when a name leads inside, even beside a public one, and nothing is sent', async () => {
    const resolve = () =>
      Promise.resolve([
        { address: '8.8.8.8', family: 4 },
        { address: '127.0.0.1', family: 4 },
      ]);
    const port = new URL(url).port;
    const sending = postJson(`https://hooks.example.com:${port}/x`, '{}', {}, { allowPrivate: false, resolve });
    await expect(sending).rejects.toMatchObject({ code: 'refused', message: /not of the public internet/ });
    expect(received).toEqual([]);
  });

  it('are called where the name led when it was checked, whatever it leads to later', async () => {
    const resolve = vi.fn(() => Promise.resolve([{ address: '127.0.0.1', family: 4 }]));
    await postJson(url.replace('127.0.0.1', 'receiver.invalid'), '{}', {}, { allowPrivate: true, resolve });
    expect(resolve).toHaveBeenCalledTimes(1);
    expect(received).toHaveLength(1);
    expect(received[0]!.headers.host).toMatch(/^receiver\.invalid/);
  });
});

describe('the sealer', () => {
  it('opens what any process of the installation sealed, with a key that its owner alone can read', async () => {
    const [a, b] = [sealer(), sealer()];
    const [one, two] = await Promise.all([a.seal('whsec_planted'), b.seal('whsec_planted')]);
    expect(one).not.toBe(two);
    expect(one).not.toContain('planted');
    expect(await b.open(one)).toBe('whsec_planted');
    expect(await a.open(two)).toBe('whsec_planted');
    const path = join(folder, 'home', 'sealing.key');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(Buffer.from(await readFile(path, 'utf8'), 'base64')).toHaveLength(32);
  });

  it('refuses what was changed, and keys of another length', async () => {
    const sealed = await sealer().seal('text');
    const changed = sealed.slice(0, -2) + (sealed.endsWith('AA') ? 'BB' : 'AA');
    await expect(sealer().open(changed)).rejects.toMatchObject({ code: 'refused' });
    await writeFile(join(folder, 'short.key'), 'c2hvcnQ=');
    await expect(readSealingKey(null, join(folder, 'short.key'))).rejects.toMatchObject({ code: 'invalidInput' });
    await expect(readSealingKey('c2hvcnQ=', '')).rejects.toMatchObject({ code: 'invalidInput' });
  });
});
