import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { row } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const ROUTES = [
  '/v2/models/leavers/infer',
  '/v2/models/leavers/versions/1/infer',
  '/v2/repository/index',
  '/v2/repository/models/leavers/load',
  '/v2/repository/models/leavers/unload',
  '/v1/models/leavers:predict',
  '/invocations',
];
const optional = (...values: string[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
const headers = fc
  .record({
    'content-type': optional('application/json', 'text/csv', 'text/csv; header=present', 'application/octet-stream'),
    'content-encoding': optional('gzip', 'deflate', 'identity'),
    'inference-header-content-length': fc.option(fc.nat(40).map(String), { nil: undefined }),
  })
  .map(
    (all) =>
      Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as Record<string, string>,
  );

/** Bodies that get past the first checks more often than any bytes would. */
const name = fc.constantFrom(
  ...['instances', 'inputs', 'outputs', 'dataframe_split', 'dataframe_records', 'params', 'columns', 'data', 'name'],
  ...[
    'shape',
    'datatype',
    'parameters',
    'binary_data_size',
    'id',
    'entity_id',
    '__proto__',
    ...Object.keys(row.features),
  ],
);
const leaf = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom<unknown>('BYTES', 'INT64', 'FP64', 'contract', 'months', [1, 1], [[1]], [], {}, 1, null, 'monthly'),
  fc.constant<unknown>(row.features),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    leaf,
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(name, tie('value')),
  ),
}));
const json = fc.dictionary(name, value).map((body) => Buffer.from(JSON.stringify(body)));
const body = fc.oneof(
  fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  json,
  fc.tuple(json, fc.uint8Array({ maxLength: 20 })).map((parts) => Buffer.concat(parts)),
  json.map((bytes) => gzipSync(bytes)),
  fc.string({ maxLength: 60 }).map((text) => Buffer.from(`contract,months\n${text}`)),
);

describe('whatever a client of another protocol sends', () => {
  it.each(ROUTES)('POST %s never answers with a 5xx, and always as documented', async (path) => {
    const { call } = await createTestApp();
    await fc.assert(
      fc.asyncProperty(body, headers, async (raw, sent) => {
        const { status, text } = await call('POST', path, { raw, headers: sent });
        expect(status, text).toBeLessThan(500);
      }),
      { numRuns: 300 },
    );
  });
});
