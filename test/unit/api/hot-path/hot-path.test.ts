import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { prepareLane } from '../../../../api/hot-path/create-lane.ts';
import { createHotPath } from '../../../../api/hot-path/create-hot-path.ts';
import { startServer } from '../../../../api/server.ts';
import type { RunningServer } from '../../../../api/server.ts';
import { DomainError } from '../../../../domain/errors.ts';
import { answered, row } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const running: RunningServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.drain()));
});

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  /** Left out of what every call has. */
  readonly without?: readonly string[];
}

interface Got {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

function send(
  port: number,
  { method = 'POST', path = '/predict', body = JSON.stringify(row), ...call }: Call,
  key: string,
) {
  const common = Object.entries({ 'x-api-key': key, 'content-type': 'application/json' });
  const kept = common.filter(([name]) => !(call.without ?? []).includes(name));
  const headers = { ...Object.fromEntries(kept), 'content-length': String(Buffer.byteLength(body)), ...call.headers };
  return new Promise<Got>((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, method, path, headers, agent: false }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: incoming.statusCode, headers: incoming.headers, body: text });
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** One application behind three ports: with the lane in front, with the hot path alone, and with the router alone. */
async function setUp() {
  const test = await createTestApp();
  const { serving, metrics, keys, log, protection } = test;
  const deps = { serving, metrics, keys, log, protection };
  const options = { host: '127.0.0.1', port: 0 };
  const hotPath = createHotPath(deps);
  const taken: boolean[] = [];
  const hot = await startServer(test.app.fetch, {
    ...options,
    hotPath: (incoming, outgoing) => {
      const takes = hotPath(incoming, outgoing);
      taken.push(takes);
      return takes;
    },
  });
  const routed = await startServer(test.app.fetch, options);
  const raw = await startServer(test.app.fetch, { ...options, hotPath, lane: prepareLane(deps) });
  running.push(hot, routed, raw);
  return { ...test, hot, routed, raw, taken };
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/g;

/** What a caller may rely on: drawn ids and measured times are told apart from text only by their form. */
function essence({ status, headers, body }: Got) {
  const { date, connection, 'keep-alive': keepAlive, 'content-length': length, ...rest } = headers;
  expect(Number(length)).toBe(Buffer.byteLength(body));
  const blank = (text: string) => text.replace(UUID, '<id>').replace(/"latency_ms":[\d.]+}$/, '"latency_ms":0}');
  return { status, headers: JSON.parse(blank(JSON.stringify(rest))) as object, body: blank(body) };
}

const json = (value: unknown) => JSON.stringify(value);
const KIB = 1024;

const CALLS: readonly (readonly [string, Call])[] = [
  ['a row', {}],
  ['a row for a named model', { body: json({ model: 'leavers', ...row }) }],
  ['a row with the model in the path', { path: '/models/leavers/predict' }],
  ['a path that needs decoding', { path: '/models/leav%65rs/predict' }],
  ['a path with a query', { path: '/predict?explain=true' }],
  ['a model with an impossible name', { path: `/models/${'x'.repeat(200)}/predict` }],
  ['text beyond ASCII', { body: json({ entity_id: 'Zoë ✓', features: { contract: '月' } }) }],
  ['a caller with an id', { headers: { 'x-request-id': 'order-7.a:b' } }],
  ['a caller with an id that cannot be used', { headers: { 'x-request-id': '<script>' } }],
  ['a bearer', { without: ['x-api-key'], headers: { authorization: 'Bearer KEY' } }],
  ['a JSON type with parameters', { headers: { 'content-type': 'application/json; charset=utf-8' } }],
  ['a byte order mark', { body: `\ufeff${json(row)}` }],
  ['a batch', { path: '/predict/batch', body: json({ instances: [row, { features: 1 }, row, 'x'] }) }],
  ['a batch of nothing', { path: '/predict/batch', body: json({ instances: [] }) }],
  [
    'a batch with an id',
    { path: '/predict/batch', body: json({ instances: [row] }), headers: { 'x-request-id': 'a' } },
  ],
  ['no key', { without: ['x-api-key'] }],
  ['a mistyped key', { headers: { 'x-api-key': 'sk_live_abc' } }],
  ['a key without the permission', { headers: { 'x-api-key': 'MONITOR' } }],
  ['no content type', { without: ['content-type'] }],
  ['another content type', { headers: { 'content-type': 'text/csv' } }],
  ['an empty body', { body: '' }],
  ['broken JSON', { body: '{"features":\n{"a":1,}}' }],
  ['bytes that are no UTF-8', { body: Buffer.from([0x7b, 0xff, 0x7d]) }],
  ['a list', { body: '[]' }],
  ['an unknown field', { body: json({ ...row, extra: 1 }) }],
  ['the model in path and body', { path: '/models/leavers/predict', body: json({ model: 'x', ...row }) }],
  ['a body over the limit', { body: ' '.repeat(256 * KIB + 1) }],
  ['another method', { method: 'PUT' }],
];

describe('the hot path', () => {
  it.each(CALLS)('answers %s as the router does', async (_, call) => {
    const { hot, routed, raw, keyOf } = await setUp();
    const named = call.headers?.['authorization'] === undefined ? {} : { authorization: `Bearer ${keyOf.predict}` };
    const monitor = call.headers?.['x-api-key'] === 'MONITOR' ? { 'x-api-key': keyOf.monitor } : {};
    const complete = { ...call, headers: { ...call.headers, ...named, ...monitor } };
    const expected = essence(await send(routed.port, complete, keyOf.predict));
    expect(essence(await send(hot.port, complete, keyOf.predict))).toEqual(expected);
    expect(essence(await send(raw.port, complete, keyOf.predict))).toEqual(expected);
  });

  it.each([
    ['a refused row', { ok: false, problems: [{ field: 'features.a', message: 'no', allowed: ['x'] }] } as const],
    ['warnings', { ...answered, warnings: [{ field: 'features.charge', message: 'lies outside "10..120"' }] }],
    ['a name that JSON escapes', { ...answered, model: 'a"b\\c\u2028', label: 'é\n' }],
    ['extreme numbers', { ...answered, probability: 1e-21, threshold: 0.30000000000000004, latencyMs: 12345.6789 }],
  ])('answers %s as the router does', async (_, outcome) => {
    const { hot, routed, raw, keyOf, serving } = await setUp();
    for (const [path, body] of [
      ['/predict', row],
      ['/predict/batch', { instances: [row, row] }],
    ] as const) {
      serving.predict.mockImplementation((_model, requests) => Promise.resolve(requests.map(() => outcome)));
      const call = { path, body: json(body) };
      const expected = essence(await send(routed.port, call, keyOf.predict));
      expect(essence(await send(hot.port, call, keyOf.predict))).toEqual(expected);
      expect(essence(await send(raw.port, call, keyOf.predict))).toEqual(expected);
    }
  });

  it.each([
    ['an unknown model', new DomainError('notFound', 'No served model', [{ field: 'model', message: 'x' }]), 404],
    ['a model that cannot answer', new DomainError('unavailable', 'not now'), 503],
    ['a defect', new Error('secret details'), 500],
  ])('tells of %s as the router does', async (_, error, status) => {
    const { hot, routed, raw, keyOf, serving, log } = await setUp();
    serving.predict.mockRejectedValue(error);
    const got = await send(hot.port, {}, keyOf.predict);
    expect(got.status).toBe(status);
    expect(got.body).not.toContain('secret');
    expect(essence(await send(routed.port, {}, keyOf.predict))).toEqual(essence(got));
    expect(essence(await send(raw.port, {}, keyOf.predict))).toEqual(essence(got));
    expect(log.warn.mock.calls.length + log.error.mock.calls.length).toBe(status === 404 ? 0 : 3);
  });

  it('takes predictions, and nothing else', async () => {
    const { hot, keyOf, taken } = await setUp();
    for (const path of ['/predict', '/predict/batch', '/models/a.b-c/predict'])
      await send(hot.port, { path }, keyOf.predict);
    expect(taken.splice(0)).toEqual([true, true, true]);
    for (const path of ['/predict/', '/models//predict', '/models/a/b/predict', '/feedback', '/predict?x=1']) {
      await send(hot.port, { path }, keyOf.predict);
    }
    expect(taken).toEqual([false, false, false, false, false]);
  });

  it('counts what it answers as the router does', async () => {
    const { hot, routed, keyOf, metrics } = await setUp();
    for (const call of [{}, { body: '[]' }, { path: '/models/leavers/predict' }])
      await send(hot.port, call, keyOf.predict);
    const lines = async () =>
      (await metrics.text()).split('\n').filter((l) => /^ml_(api_(requests|errors)|predictions)/.test(l));
    const before = await lines();
    expect(before).toContain('ml_api_requests_total{method="POST",route="/predict",status="422"} 1');
    for (const call of [{}, { body: '[]' }, { path: '/models/leavers/predict' }])
      await send(routed.port, call, keyOf.predict);
    const doubled = before.map((line) => line.replace(/\d+$/, (count) => String(2 * Number(count))));
    expect(await lines()).toEqual(doubled);
  });

  it('lets the connection go on after a refusal that came before the end of the body', async () => {
    const { hot, keyOf } = await setUp();
    const answer = await fetch(`http://127.0.0.1:${hot.port}/predict`, { method: 'POST', body: ' '.repeat(100 * KIB) });
    expect(answer.status).toBe(401);
    await answer.text();
    const headers = { 'x-api-key': keyOf.predict, 'content-type': 'application/json' };
    const next = await fetch(`http://127.0.0.1:${hot.port}/predict`, { method: 'POST', headers, body: json(row) });
    expect(next.status).toBe(200);
  });
});
