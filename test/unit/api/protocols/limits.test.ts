import { OpenAPIHono } from '@hono/zod-openapi';
import { describe, expect, it, vi } from 'vitest';
import { createMetrics } from '../../../../adapters/metrics.ts';
import type { AppEnv } from '../../../../api/app-env.ts';
import { createErrorHandler } from '../../../../api/error-handler.ts';
import type { ChargeRows } from '../../../../api/limits/charge-rows.ts';
import { requestContext } from '../../../../api/middleware/request-context.ts';
import { registerOperations } from '../../../../api/operation.ts';
import { protocolOperations } from '../../../../api/protocols/protocol-operations.ts';
import { DomainError } from '../../../../domain/errors.ts';
import { createFakeServing } from '../support/fake-ports.ts';
import { row } from '../support/samples.ts';
import { createTestApp } from '../support/test-app.ts';

const { features } = row;
const column = (name: string, datatype: string, value: unknown) => ({
  name,
  datatype,
  shape: [3, 1],
  data: [value, value, value],
});
const inputs = [column('contract', 'BYTES', 'monthly'), column('months', 'INT64', 3)];
const REQUESTS = [
  ['/v2/models/leavers/infer', { inputs }],
  ['/v1/models/leavers:predict', { instances: [features, features, features] }],
  ['/invocations', { instances: [features, features, features] }],
] as const;

/** The protocol routes with a limit that lets `budget` rows pass. */
async function setUp(budget: number) {
  const { keys, keyOf } = await createTestApp();
  let left = budget;
  const charge = vi.fn<ChargeRows>((_, rows) => {
    const headers = { 'x-ratelimit-remaining': String(left) };
    if (rows > left) return { headers, refusal: new DomainError('rateLimited', 'used up', [], 7) };
    left -= rows;
    return { headers, refusal: null };
  });
  const app = new OpenAPIHono<AppEnv>();
  app.use('*', requestContext());
  app.onError(createErrorHandler({ info: vi.fn(), warn: vi.fn(), error: vi.fn() }));
  const serving = createFakeServing();
  const metrics = createMetrics({ defaults: false });
  const isDraining = () => false;
  registerOperations(app, protocolOperations({ serving, keys, metrics, isDraining, version: '1', charge }), {
    keys,
    metrics,
  });
  const send = (path: string, body: object) =>
    app.request(path, {
      method: 'POST',
      headers: { 'x-api-key': keyOf.predict, 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(body)),
    });
  return { send, charge, serving };
}

describe('the limit of a key', () => {
  it.each(REQUESTS)('counts the rows of %s', async (path, body) => {
    const { send, charge } = await setUp(3);
    const answer = await send(path, body);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('x-ratelimit-remaining')).toBe('2');
    expect(charge.mock.calls.map(([, rows]) => rows)).toEqual([1, 2]);
  });

  it.each(REQUESTS)('refuses the rows of %s as a whole, with the time to wait', async (path, body) => {
    const { send, serving } = await setUp(2);
    const answer = await send(path, body);
    expect(answer.status).toBe(429);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(await answer.json()).toSatisfy((json: object) => 'error' in json || 'error_code' in json);
    expect(serving.predict.mock.calls.filter(([, rows]) => rows.length > 0)).toEqual([]);
  });

  it.each(REQUESTS)('counts a request of %s that says nothing', async (path) => {
    const { send, charge } = await setUp(1);
    expect((await send(path, [])).status).toBe(400);
    expect((await send(path, [])).status).toBe(429);
    expect(charge).toHaveBeenCalledTimes(2);
  });
});
