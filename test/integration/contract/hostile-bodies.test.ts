import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startApi } from '../api/api-process.ts';
import type { ApiProcess } from '../api/api-process.ts';

/** A request that has no answer by then hangs: the slowest honest one takes milliseconds. */
const HUNG_MS = 15_000;
const RUNS = 60;
/** As deep as a body of the hot path can nest. */
const DEEP = 100_000;

type Form = 'problem' | 'inference' | 'scoring';
interface Target {
  readonly path: string;
  readonly form: Form;
  /** A body around one row. */
  readonly wrap: (row: string) => string;
}

const tensor = (row: string) => `{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[${row}]}]}`;
const TARGETS: readonly Target[] = [
  { path: '/predict', form: 'problem', wrap: (row) => `{"features":${row}}` },
  { path: '/models/m/predict', form: 'problem', wrap: (row) => `{"features":${row}}` },
  { path: '/models/m/predict?explain=true', form: 'problem', wrap: (row) => `{"features":${row}}` },
  { path: '/predict/batch', form: 'problem', wrap: (row) => `{"instances":[{"features":${row}}]}` },
  { path: '/v2/models/m/infer', form: 'inference', wrap: tensor },
  { path: '/v1/models/m:predict', form: 'inference', wrap: (row) => `{"instances":[${row}]}` },
  { path: '/invocations', form: 'scoring', wrap: (row) => `{"dataframe_records":[${row}]}` },
];

/** What JSON allows, what it does not, and what its readers stumble over. */
const ROWS: readonly string[] = [
  '{"x":NaN}',
  '{"x":Infinity}',
  '{"x":-Infinity}',
  '{"x":1e400}',
  `{"x":${'9'.repeat(5_000)}}`,
  '{"x":1e-400}',
  '{"x":-0}',
  '{"x":"\\ud800"}',
  '{"\\udfff":1,"x":1}',
  '{"x":"\\u0000"}',
  '{"__proto__":{"x":1}}',
  '{"__proto__":{"polluted":true},"x":1}',
  '{"constructor":{"prototype":{"polluted":true}},"x":1}',
  '{"toString":1,"hasOwnProperty":2,"x":1}',
  '{"x":1,"x":2}',
  '{"x":[[[1]]]}',
  '{"x":{}}',
  'null',
  '[]',
  '[[],[]]',
  '"x"',
  '1',
  `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`,
  `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
  '['.repeat(DEEP),
];

let api: ApiProcess;
beforeAll(async () => {
  api = await startApi({ SLUICE_API_PROCESSES: '2' });
  await vi.waitFor(async () => expect((await processes()).pids).toHaveLength(2), { timeout: 20_000 });
});
afterAll(() => api.remove());

type Body = string | Uint8Array;

async function send(path: string, body: Body, headers: Readonly<Record<string, string>> = {}) {
  const response = await fetch(api.url + path, {
    method: 'POST',
    headers: { 'x-api-key': api.key, 'content-type': 'application/json', ...headers },
    body: body as never,
    signal: AbortSignal.timeout(HUNG_MS),
  });
  const text = await response.text();
  return { status: response.status, type: response.headers.get('content-type'), text };
}

/** Never a 5xx, and what is refused is refused in the protocol's own form. */
async function expectAnswered(target: Target, body: Body, headers?: Readonly<Record<string, string>>) {
  const { status, type, text } = await send(target.path, body, headers);
  expect(status, text).toBeLessThan(500);
  if (status < 400) return;
  const json = JSON.parse(text) as Record<string, unknown>;
  expect(type).toBe(target.form === 'problem' ? 'application/problem+json' : 'application/json');
  if (target.form === 'problem')
    expect(json).toMatchObject({ status, error: expect.any(String), problems: expect.any(Array) });
  if (target.form === 'inference') expect(json).toEqual({ error: expect.any(String) });
  if (target.form === 'scoring') expect(json).toEqual({ error_code: expect.any(String), message: expect.any(String) });
}

async function processes(): Promise<{ pids: readonly number[]; crashes: number }> {
  const health = (await (await api.call('GET', '/health/detailed')).json()) as {
    readonly processes: readonly { readonly pid: number }[];
    readonly process_crashes: number;
  };
  return { pids: health.processes.map((p) => p.pid).sort(), crashes: health.process_crashes };
}

describe('whatever body comes', () => {
  it.each(TARGETS)('$path: values that readers of JSON stumble over', async (target) => {
    const before = await processes();
    for (const row of ROWS) await expectAnswered(target, target.wrap(row));
    for (const row of ROWS) await expectAnswered(target, row);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(await processes()).toEqual(before);
    expect((await send('/predict', '{"features":{"x":1}}')).status).toBe(200);
  });

  it.each(TARGETS)('$path: bytes, and JSON of any shape', async (target) => {
    const before = await processes();
    const body = fc.oneof<fc.Arbitrary<Body>[]>(
      fc.uint8Array({ maxLength: 300 }),
      fc.json({ maxDepth: 6 }),
      fc.json().map(target.wrap),
      fc.json().map((text) => target.wrap(`{"x":${text}}`)),
    );
    const encoding = fc.constantFrom({}, { 'content-encoding': 'gzip' }, { 'content-type': 'text/csv' }, {}, {});
    const property = fc.asyncProperty(body, encoding, (sent, headers) => expectAnswered(target, sent, headers));
    await fc.assert(property, { numRuns: RUNS });
    expect(await processes()).toEqual(before);
  });

  it('binary tensors whose sizes are not what their headers say', async () => {
    const before = await processes();
    const lie = fc.oneof(fc.nat(40), fc.constantFrom(-1, 1e9, 2 ** 53, 1.5, null, '8'));
    const size = fc.oneof(fc.nat(4), fc.constantFrom(-1, 2 ** 31, 2 ** 53, 1e300));
    const datatype = fc.constantFrom('FP64', 'FP32', 'FP16', 'INT64', 'UINT8', 'BOOL', 'BYTES', 'BF16', '');
    const infer = TARGETS.find((t) => t.path.endsWith('/infer'))!;
    const property = fc.asyncProperty(
      ...([fc.array(size, { maxLength: 3 }), datatype, lie, fc.uint8Array({ maxLength: 40 }), fc.integer()] as const),
      async (shape, type, declared, bytes, shift) => {
        const parameters = { binary_data_size: declared };
        const json = Buffer.from(JSON.stringify({ inputs: [{ name: 'x', shape, datatype: type, parameters }] }));
        const length = shift % 3 === 0 ? json.length : Math.abs(json.length + (shift % 50));
        const headers = { 'content-type': 'application/octet-stream', 'inference-header-content-length': `${length}` };
        await expectAnswered(infer, Buffer.concat([json, bytes]), headers);
      },
    );
    await fc.assert(property, { numRuns: 3 * RUNS });
    expect(await processes()).toEqual(before);
  });

  it('forms whose parts have no name, no end, or come twice', async () => {
    const before = await processes();
    const part = fc.constantFrom(
      'form-data',
      'form-data; name=""',
      'form-data; name="model"',
      'x',
      '',
      'form-data; name="model"; filename="a"',
      'form-data; filename="a"',
    );
    const end = fc.constantFrom('--b--\r\n', '--b--', '', '--b');
    const property = fc.asyncProperty(fc.array(part, { maxLength: 6 }), end, async (parts, last) => {
      const body = parts.map((p) => `--b\r\nContent-Disposition: ${p}\r\n\r\nvalue\r\n`).join('') + last;
      const target = { path: '/models/m/versions', form: 'problem', wrap: String } as const;
      await expectAnswered(target, body, { 'content-type': 'multipart/form-data; boundary=b' });
    });
    await fc.assert(property, { numRuns: RUNS });
    expect(await processes()).toEqual(before);
  });
});
