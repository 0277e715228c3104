import { describe, expect, it } from 'vitest';
import type { PredictOutcome } from '../../../../api/serving/contract.ts';
import { writeTensorBytes } from '../../../../api/protocols/open-inference/tensor-bytes.ts';
import { DomainError } from '../../../../domain/errors.ts';
import type { Signature } from '../../../../domain/signature.ts';
import { answered, row, served, signature } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const PATH = '/v2/models/leavers/infer';
const tensor = (name: string, datatype: string, data: readonly unknown[], shape = [data.length, 1]) => ({
  name,
  datatype,
  shape,
  data,
});
const inputs = [
  tensor('contract', 'BYTES', ['monthly', 'yearly']),
  tensor('months', 'INT64', [3, 4]),
  tensor('charge', 'FP64', [70.5, null]),
  tensor('paperless', 'BOOL', [true, false]),
];
const replaced = (input: ReturnType<typeof tensor>) => inputs.map((i) => (i.name === input.name ? input : i));

async function infer(body: object, path = PATH) {
  const test = await createTestApp();
  return { ...test, answer: await test.call('POST', path, { body }) };
}

describe('the server', () => {
  it('says live and ready in both answers, and 503 when it is not ready', async () => {
    const { call, serving } = await createTestApp();
    for (const path of ['/v2/health/live', '/v2/health/ready']) {
      expect((await call('GET', path, { key: null })).json, path).toEqual({ live: true, ready: true });
    }
    serving.status.mockReturnValue({ ready: false, reasons: ['loading'], recordsQueued: 0, recordsDropped: 0 });
    const ready = await call('GET', '/v2/health/ready', { key: null });
    expect(ready).toMatchObject({ status: 503, json: { live: true, ready: false } });
    expect(ready.headers.get('retry-after')).toBe('1');
    expect(await call('GET', '/v2/health/live', { key: null })).toMatchObject({ status: 200, json: { ready: false } });
    expect((await call('GET', '/ping', { key: null })).status).toBe(503);
  });

  it('is not ready while it drains', async () => {
    const { call } = await createTestApp({ isDraining: () => true });
    expect((await call('GET', '/v2/health/ready', { key: null })).status).toBe(503);
  });
});

describe('a model', () => {
  it('has an input for each raw feature, and any number of rows', async () => {
    const { call } = await createTestApp();
    const { json } = await call('GET', '/v2/models/leavers');
    expect(json).toMatchObject({ name: 'leavers', versions: ['1'], platform: 'onnxruntime_onnx' });
    expect(json.inputs).toEqual([
      { name: 'contract', datatype: 'BYTES', shape: [-1, 1] },
      { name: 'months', datatype: 'INT64', shape: [-1, 1] },
      { name: 'charge', datatype: 'FP64', shape: [-1, 1] },
      { name: 'paperless', datatype: 'BOOL', shape: [-1, 1] },
    ]);
    expect((await call('GET', '/v2/models/leavers/versions/1')).json).toEqual(json);
  });

  it.each([
    ['GET', '/v2/models/leavers/versions/2'],
    ['GET', '/v2/models/leavers/versions/2/ready'],
    ['POST', '/v2/models/leavers/versions/2/infer'],
  ])('has no version that is not routed (%s %s)', async (method, path) => {
    const { call } = await createTestApp();
    const answer = await call(method, path, method === 'POST' ? { body: { inputs } } : {});
    expect(answer.status).toBe(404);
    expect(answer.json.error).toContain('Version 2 of leavers is not served');
  });

  it.each([
    ['notFound', 404],
    ['unavailable', 503],
  ] as const)('that answers %s is a %i', async (code, status) => {
    const { call, serving } = await createTestApp();
    serving.predict.mockRejectedValue(new DomainError(code, 'No served model is named other'));
    for (const path of ['/v2/models/other', '/v2/models/other/ready', '/v1/models/other']) {
      const answer = await call('GET', path);
      expect(answer, path).toMatchObject({ status, json: { error: 'No served model is named other' } });
      expect(answer.headers.get('content-type')).toBe('application/json');
      expect(answer.headers.get('retry-after') !== null, path).toBe(status === 503);
    }
  });

  it('is answered by version only when the version answers everything', async () => {
    const { answer } = await infer({ inputs }, '/v2/models/leavers/versions/1/infer');
    expect(answer.status).toBe(200);
    const { call, serving } = await createTestApp();
    const [route] = served.routes;
    const routes = [
      { ...route!, weightPercent: 95 },
      { ...route!, variant: 'candidate' as const, version: 2, weightPercent: 5 },
    ];
    serving.served.mockReturnValue([{ ...served, routes }]);
    const shared = await call('POST', '/v2/models/leavers/versions/2/infer', { body: { inputs } });
    expect(shared.status).toBe(400);
    expect(shared.json.error).toContain('1: 95 %, 2: 5 %');
    expect(serving.predict).not.toHaveBeenCalled();
  });
});

describe('inference', () => {
  it('hands over rows by name, and echoes the id', async () => {
    const { answer, serving } = await infer({ id: 'call-1', inputs });
    expect(serving.predict).toHaveBeenCalledExactlyOnceWith('leavers', [
      { entityId: null, features: { contract: 'monthly', months: 3, charge: 70.5, paperless: true } },
      { entityId: null, features: { contract: 'yearly', months: 4, charge: null, paperless: false } },
    ]);
    expect(answer.json).toEqual({
      model_name: 'leavers',
      model_version: '1',
      id: 'call-1',
      outputs: [
        { name: 'probability', datatype: 'FP64', shape: [2, 1], data: [0.71, 0.71] },
        { name: 'label', datatype: 'BYTES', shape: [2, 1], data: ['yes', 'yes'] },
      ],
    });
    expect(answer.headers.get('content-type')).toBe('application/json');
  });

  it('answers only with the outputs asked for, binary where asked', async () => {
    const outputs = [{ name: 'request_id', parameters: { binary_data: true } }, { name: 'risk' }];
    const test = await createTestApp();
    const response = await test.app.request(PATH, {
      method: 'POST',
      headers: { 'x-api-key': test.keyOf.predict },
      body: Buffer.from(JSON.stringify({ inputs, outputs })),
    });
    const length = Number(response.headers.get('inference-header-content-length'));
    const body = Buffer.from(await response.arrayBuffer());
    expect(response.headers.get('content-type')).toBe('application/octet-stream');
    expect(JSON.parse(body.subarray(0, length).toString())).toEqual({
      model_name: 'leavers',
      model_version: '1',
      outputs: [
        { name: 'request_id', datatype: 'BYTES', shape: [2, 1], parameters: { binary_data_size: 80 } },
        { name: 'risk', datatype: 'BYTES', shape: [2, 1], data: ['high', 'high'] },
      ],
    });
    expect(body.subarray(length)).toEqual(writeTensorBytes('BYTES', [answered.requestId, answered.requestId]));
  });

  it('takes the entity of each row from a column', async () => {
    for (const name of ['entity_id', 'customer']) {
      const { serving } = await infer({ inputs: [tensor(name, 'BYTES', ['a', '']), ...inputs] });
      expect(serving.predict.mock.calls[0]![1].map((r) => r.entityId)).toEqual(['a', null]);
    }
    const long = 2n ** 63n - 1n;
    const bytes = writeTensorBytes('INT64', [1, long]);
    const binary = { name: 'customer', datatype: 'INT64', shape: [2], parameters: { binary_data_size: 16 } };
    const json = Buffer.from(JSON.stringify({ inputs: [binary, ...inputs] }));
    const { call, serving } = await createTestApp();
    const headers = { 'inference-header-content-length': String(json.byteLength) };
    expect((await call('POST', PATH, { raw: Buffer.concat([json, bytes]), headers })).status).toBe(200);
    expect(serving.predict.mock.calls[0]![1].map((r) => r.entityId)).toEqual(['1', String(long)]);
  });

  it('reads NaN as missing, and a long integer as the nearest number', async () => {
    const binary = [
      { name: 'charge', datatype: 'FP32', shape: [1, 1], parameters: { binary_data_size: 4 } },
      { name: 'months', datatype: 'UINT64', shape: [1, 1], parameters: { binary_data_size: 8 } },
    ];
    const json = Buffer.from(JSON.stringify({ inputs: [...binary, tensor('contract', 'BYTES', ['monthly'])] }));
    const tail = (months: number) => [writeTensorBytes('FP32', [NaN]), writeTensorBytes('UINT64', [months])];
    const headers = { 'inference-header-content-length': String(json.byteLength) };
    const { call, serving } = await createTestApp();
    expect((await call('POST', PATH, { raw: Buffer.concat([json, ...tail(5)]), headers })).status).toBe(200);
    const features = { contract: 'monthly', months: 5, charge: null };
    expect(serving.predict).toHaveBeenCalledExactlyOnceWith('leavers', [{ entityId: null, features }]);
    const far = await call('POST', PATH, { raw: Buffer.concat([json, ...tail(2 ** 60)]), headers });
    expect(far.json.error).toContain('inputs.months.data[0]: 1152921504606847000 is outside the allowed range');
  });

  it('says what was flagged and which versions answered', async () => {
    const { call, serving } = await createTestApp();
    const warnings = [{ field: 'features.charge', message: 'is missing; predicted as a missing value' }];
    serving.predict.mockResolvedValue([answered, { ...answered, version: 2, variant: 'candidate', warnings }]);
    const { json } = await call('POST', PATH, { body: { inputs } });
    expect(json.model_version).toBe('1');
    expect(json.parameters).toEqual({
      model_versions: '1,2',
      warnings: 'row 1: features.charge: is missing; predicted as a missing value',
    });
  });

  it('takes one matrix for a model of numbers', async () => {
    const number = signature.features[2]!;
    const numeric: Signature = { ...signature, features: ['a', 'b'].map((name) => ({ ...number, name })) };
    const { call, serving } = await createTestApp();
    serving.served.mockReturnValue([{ ...served, routes: served.routes.map((r) => ({ ...r, signature: numeric })) }]);
    const matrix = tensor('input-0', 'FP32', [[1, 2], [3, 4]], [2, 2]); // prettier-ignore
    expect((await call('POST', PATH, { body: { inputs: [matrix] } })).status).toBe(200);
    expect(serving.predict).toHaveBeenCalledExactlyOnceWith('leavers', [
      { entityId: null, features: { a: 1, b: 2 } },
      { entityId: null, features: { a: 3, b: 4 } },
    ]);
    const other = await call('POST', PATH, { body: { inputs: [tensor('input-0', 'FP32', [1, 2, 3], [1, 3])] } });
    expect(other.json.error).toContain('inputs.input-0: is no input of this model (allowed: a, b)');
  });

  it.each([
    [[...inputs, tensor('age', 'FP64', [1, 2])], ['inputs.age: is no input of this model']],
    [inputs.slice(1, 3), ['inputs.contract: is missing; expected a tensor of BYTES']],
    [replaced(tensor('months', 'BYTES', ['3', '4'])), ['inputs.months.datatype: BYTES cannot stand for it']],
    [replaced(tensor('contract', 'INT64', [1, 2])), ['inputs.contract.datatype: INT64 cannot', '(allowed: BYTES)']],
    [replaced(tensor('paperless', 'INT8', [1, 0])), ['inputs.paperless.datatype', '(allowed: BOOL)']],
    [
      replaced(tensor('charge', 'FP64', [1])),
      ['inputs.charge.shape: expected [2, 1] as of the first input, got [1, 1]'],
    ],
    [replaced(tensor('charge', 'FP64', [1, 2], [1, 2])), ['inputs.charge.shape']],
    [
      replaced(tensor('contract', 'BYTES', ['weekly', 'yearly'])).map((i) =>
        i.name === 'months' ? tensor('months', 'INT64', [3, 400]) : i,
      ),
      [
        'inputs.contract.data[0]: the string "weekly"',
        'inputs.months.data[1]: 400 is outside',
        '(allowed: from 0 to 72)',
      ],
    ],
    [replaced(tensor('months', 'FP64', [3, 4.5])), ['inputs.months.data[1]: expected a whole JSON number']],
    [[tensor('contract', 'BYTES', [])], ['inputs: expected 1 to 1000 rows, got 0']],
  ])('refuses a request and says where (%#)', async (sent, expected) => {
    const { answer, serving } = await infer({ inputs: sent });
    expect(answer.status).toBe(400);
    for (const text of expected) expect(answer.json.error).toContain(text);
    // Nothing of a refused request is recorded or counted.
    expect(serving.predict).not.toHaveBeenCalled();
  });

  it('refuses more rows than a batch may have', async () => {
    const rows = Array.from({ length: 1001 }, () => 1);
    const { answer } = await infer({ inputs: [tensor('charge', 'FP64', rows)] });
    expect(answer.json.error).toContain('expected 1 to 1000 rows, got 1001');
  });

  it('refuses outputs it does not have', async () => {
    const { answer } = await infer({ inputs, outputs: [{ name: 'logits' }, { name: 'label' }, { name: 'label' }] });
    expect(answer.json.error).toContain('outputs.logits: is no output of this model (allowed: probability, label');
    expect(answer.json.error).toContain('outputs.label: is there twice');
  });

  it('fails as a whole when the model could not answer a row', async () => {
    const { call, serving } = await createTestApp();
    const failed: PredictOutcome = { ok: false, code: 'unavailable', problems: [{ field: '', message: 'try again' }] };
    serving.predict.mockResolvedValue([answered, failed]);
    expect((await call('POST', PATH, { body: { inputs } })).status).toBe(503);
    const refused: PredictOutcome = { ok: false, problems: [{ field: 'features.charge', message: 'is missing' }] };
    serving.predict.mockResolvedValue([answered, refused]);
    const answer = await call('POST', PATH, { body: { inputs } });
    expect(answer).toMatchObject({
      status: 400,
      json: { error: expect.stringContaining('inputs.charge.data[1]: is missing') },
    });
  });

  it.each([
    [{ 'inference-header-content-length': 'x' }, 400],
    [{ 'inference-header-content-length': '-1' }, 400],
    [{ 'inference-header-content-length': '999999' }, 400],
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': 'application/octet-stream' }, 200],
  ])('with the headers %j is a %i', async (headers, status) => {
    const { call } = await createTestApp();
    expect((await call('POST', PATH, { raw: JSON.stringify({ inputs }), headers })).status).toBe(status);
  });

  it('counts its answers as the native routes do', async () => {
    const { call } = await createTestApp();
    await call('POST', PATH, { body: { inputs } });
    await call('POST', '/predict', { body: row });
    const { text } = await call('GET', '/metrics');
    expect(text).toMatch(/risk="high"\} 3\n/);
    expect(text).toContain('route="/v2/models/{model}/infer"');
  });
});

describe('the repository', () => {
  it('lists what is loaded', async () => {
    const { call } = await createTestApp();
    const entries = [{ name: 'leavers', version: '1', state: 'READY', reason: '' }];
    expect((await call('POST', '/v2/repository/index', { body: { ready: true } })).json).toEqual(entries);
    expect((await call('POST', '/v2/repository/index')).json).toEqual(entries);
  });

  it('loads nothing by hand, and unloads nothing in service', async () => {
    const { call } = await createTestApp();
    const at = (verb: string) => `/v2/repository/models/leavers/${verb}`;
    expect(await call('POST', at('load'), { body: {} })).toMatchObject({ status: 200, json: {} });
    expect((await call('POST', at('load'))).status).toBe(200);
    const configured = await call('POST', at('load'), { body: { parameters: { config: '{}' } } });
    expect(configured).toMatchObject({ status: 409, json: { error: expect.stringContaining('roll it out') } });
    const unloaded = await call('POST', at('unload'), { body: {} });
    expect(unloaded).toMatchObject({ status: 409, json: { error: expect.stringContaining('leavers is in service') } });
  });
});
