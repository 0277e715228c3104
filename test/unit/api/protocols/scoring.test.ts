import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../../domain/errors.ts';
import { answered, row, served } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const { features } = row;
const names = Object.keys(features);
const CSV = { 'content-type': 'text/csv' };

async function invoke(body: object, path = '/invocations') {
  const test = await createTestApp();
  return { ...test, answer: await test.call('POST', path, { body }) };
}

async function invokeCsv(raw: string | Uint8Array, headers: Record<string, string> = CSV) {
  const test = await createTestApp();
  return { ...test, answer: await test.call('POST', '/invocations', { raw, headers }) };
}

/** Without the question which model is meant, which has no rows. */
const asked = ({ predict }: Awaited<ReturnType<typeof createTestApp>>['serving']) =>
  predict.mock.calls.filter(([, rows]) => rows.length > 0);

/** As pandas writes it. */
const cell = (value: string | number | boolean | null) => {
  const text = value === null ? '' : typeof value === 'boolean' ? (value ? 'True' : 'False') : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

describe('the forms of a table', () => {
  it('say the same, CSV included', async () => {
    const rowOf = fc.record({
      contract: fc.constantFrom('monthly', 'yearly'),
      months: fc.integer({ min: 0, max: 72 }),
      // JSON.stringify writes the negative zero as `0`.
      charge: fc.option(fc.double({ noNaN: true, min: -1e30, max: 1e30 }).map((v) => v + 0)),
      paperless: fc.option(fc.boolean()),
    });
    const { call, serving } = await createTestApp();
    await fc.assert(
      fc.asyncProperty(fc.array(rowOf, { minLength: 1, maxLength: 5 }), async (rows) => {
        const data = rows.map((r) => Object.values(r));
        const columns = Object.fromEntries(names.map((name, i) => [name, data.map((cells) => cells[i])]));
        const nested = Object.fromEntries(
          Object.entries(columns).map(([name, cells]) => [name, cells.map((v) => [v])]),
        );
        const lines = data.map((cells) => cells.map(cell).join(','));
        const bodies = [
          { body: { dataframe_split: { columns: names, index: rows.map((_, i) => i), data } } },
          { body: { dataframe_split: { data } } },
          { body: { dataframe_records: rows } },
          { body: { instances: rows } },
          { body: { instances: data } },
          { body: { inputs: columns, params: { temperature: 1 } } },
          { body: { inputs: nested } },
          { body: { inputs: rows } },
          { raw: [names.join(','), ...lines].join('\n'), headers: CSV },
          { raw: `\ufeff${[...lines, ''].join('\r\n')}`, headers: CSV },
        ];
        for (const sent of bodies) {
          serving.predict.mockClear();
          const answer = await call('POST', '/invocations', sent);
          expect(answer.status, answer.text).toBe(200);
          const expected = rows.map((r) => ({ entityId: null, features: r }));
          expect(asked(serving)).toEqual([['leavers', expected]]);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('answer one record per row', async () => {
    const { answer } = await invoke({ dataframe_records: [features] });
    expect(answer.json.predictions).toEqual([
      {
        probability: 0.71,
        label: 'yes',
        risk: 'high',
        model_version: 1,
        request_id: answered.requestId,
        warnings: [],
      },
    ]);
  });

  it('take the entity from a column', async () => {
    const { serving } = await invokeCsv(`customer,${names.join(',')}\n0042,monthly,3,70.5,true\n,yearly,3,70.5,true`);
    expect(asked(serving)[0]![1].map((r) => r.entityId)).toEqual(['0042', null]);
  });
});

describe('what is wrong with JSON', () => {
  it.each([
    [{}, 'expected exactly one of these fields (allowed: dataframe_split, dataframe_records, instances, inputs)'],
    [{ instances: [features], inputs: [features] }, 'expected exactly one'],
    [{ instances: [features], data: [] }, 'data: is not a known field'],
    [{ instances: [features], params: 5 }, 'params: expected an object'],
    [{ instances: 5 }, 'instances: expected a list'],
    [{ dataframe_records: { a: [1] } }, 'dataframe_records: expected a list'],
    [{ dataframe_split: [] }, 'dataframe_split: expected an object'],
    [{ dataframe_split: { columns: [1], data: [[1]] } }, 'dataframe_split.columns: expected a list of names'],
    [{ dataframe_split: { columns: ['charges'], data: [[1]] } }, 'column "charges": is no feature'],
    [{ dataframe_split: { columns: [...names, 'charge'], data: [] } }, 'column "charge": is there twice'],
    [{ dataframe_split: { columns: names, data: [] } }, 'expected 1 to 1000 rows, got 0'],
    [{ dataframe_split: { columns: names, data: [[1, 2]] } }, 'row 0: expected 4 values, one per column, got 2'],
    [{ dataframe_split: { columns: names, data: [5] } }, 'row 0: expected 4 values, one per column, got no list'],
    [{ inputs: 5 }, 'inputs: expected columns by name'],
    [{ inputs: { months: [1, 2], charge: [1] } }, 'inputs.charge: expected a list of 2 values'],
    [{ inputs: { months: 1 } }, 'inputs.months: expected a list'],
    [{ inputs: {} }, 'got 0'],
    [{ instances: [{ ...features, contract: 1 }] }, 'row 0, contract: expected a string'],
    [{ instances: [{ ...features, months: '3' }] }, 'row 0, months: expected a whole JSON number'],
  ])('is named (%#)', async (body, expected) => {
    const { answer, serving } = await invoke(body);
    expect(answer.status).toBe(400);
    expect(answer.json).toEqual({ error_code: 'BAD_REQUEST', message: expect.stringContaining(expected) });
    expect(asked(serving)).toEqual([]);
  });
});

describe('what is wrong with CSV', () => {
  const header = names.join(',');
  it.each([
    [`${header}\nmonthly,three,70.5,true`, 'row 0, months: expected a whole JSON number'],
    [`${header}\nmonthly,3,70.5,true\nmonthly,3,1e999,true`, 'row 1, charge: expected a finite number'],
    [`${header}\nmonthly,007,70.5,true`, 'row 0, months'],
    [`${header}\nmonthly,3,70.5,1`, 'row 0, paperless: expected true or false'],
    [`${header}\nmonthly,3,70.5`, 'row 0: expected 4 values, one per column, got 3'],
    [header, 'got 0'],
    ['', 'got 0'],
    [`contract,months,charge,paperles\nmonthly,3,70.5,true`, 'column "paperles": is no feature'],
    [`a,b,c,d\nmonthly,3,70.5,true`, 'row 0, contract: the string "a" is not a value'],
    [`${header}\n"monthly,3`, 'not CSV at line 2: a quotation mark is not closed'],
    [`${header}\nmon"thly,3,1,true`, 'a quotation mark stands inside a cell'],
    [`${header}\n${'monthly,3,1,true\n'.repeat(1001)}`, 'expected 1 to 1000 rows, got 1001'],
  ])('is named (%#)', async (raw, expected) => {
    const { answer, serving } = await invokeCsv(raw);
    expect(answer).toMatchObject({ status: 400, json: { error_code: 'BAD_REQUEST' } });
    expect(answer.json.message).toContain(expected);
    expect(asked(serving)).toEqual([]);
  });

  it('includes bytes that are no text', async () => {
    const { answer } = await invokeCsv(Uint8Array.of(0x6d, 0xff));
    expect(answer.json.message).toBe('The body is not UTF-8 text');
  });

  it('depends on the header as the type says it', async () => {
    const line = 'monthly,3,70.5,true';
    expect((await invokeCsv(line, { 'content-type': 'text/csv; header=absent' })).answer.status).toBe(200);
    const present = await invokeCsv(line, { 'content-type': 'text/csv;header="present"' });
    expect(present.answer.json.message).toContain('column "monthly"');
    const absent = await invokeCsv(`${header}\n${line}`, { 'content-type': 'text/csv; charset=utf-8; header=absent' });
    expect(absent.answer.json.message).toContain('row 0, months');
  });
});

describe('the request', () => {
  it.each([undefined, 'text/plain', 'application/x-www-form-urlencoded', 'text/csvx'])(
    'is a 415 with the type %s',
    async (type) => {
      const test = await createTestApp();
      const response = await test.app.request('/invocations', {
        method: 'POST',
        headers: { 'x-api-key': test.keyOf.predict, ...(type === undefined ? {} : { 'content-type': type }) },
        body: Buffer.from('{}'),
      });
      expect(response.status).toBe(415);
      expect(await response.json()).toMatchObject({ error_code: 'BAD_REQUEST' });
    },
  );

  it('chooses the model by header or query, or takes the only one', async () => {
    const { call, serving } = await createTestApp();
    serving.served.mockReturnValue([served, { ...served, model: 'others' }]);
    const ask = (path: string, headers = {}) => call('POST', path, { body: { instances: [features] }, headers });
    expect((await ask('/invocations?model=others')).status).toBe(200);
    expect(serving.predict.mock.lastCall![0]).toBe('others');
    expect((await ask('/invocations', { 'x-model': 'leavers' })).status).toBe(200);
    expect(serving.predict.mock.lastCall![0]).toBe('leavers');
    expect((await ask('/invocations?model=others', { 'x-model': 'leavers' })).status).toBe(400);
    serving.predict.mockRejectedValue(new DomainError('malformedRequest', 'The request must name a model'));
    expect((await ask('/invocations')).json.message).toBe('The request must name a model');
  });

  it("may carry SageMaker's headers", async () => {
    const { call } = await createTestApp();
    const headers = { 'x-amzn-sagemaker-custom-attributes': 'trace=1', accept: 'application/json' };
    expect((await call('POST', '/invocations', { body: { instances: [features] }, headers })).status).toBe(200);
  });

  it.each([
    ['notFound', 404, 'RESOURCE_DOES_NOT_EXIST'],
    ['unavailable', 503, 'TEMPORARILY_UNAVAILABLE'],
    ['internal', 500, 'INTERNAL_ERROR'],
  ] as const)('that ends in %s is a %i in the form of MLflow', async (code, status, name) => {
    const { call, serving } = await createTestApp();
    serving.predict.mockRejectedValue(new DomainError(code, 'no'));
    const answer = await call('POST', '/invocations', { body: { instances: [features] } });
    expect(answer).toMatchObject({ status, json: { error_code: name } });
  });
});
