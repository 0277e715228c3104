import { afterEach, describe, expect, it } from 'vitest';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import { startApi } from './api-process.ts';
import type { ApiProcess } from './api-process.ts';

const opened: ApiProcess[] = [];
afterEach(async () => {
  await Promise.all(opened.splice(0).map((api) => api.remove()));
});

async function start(environment?: Record<string, string>): Promise<ApiProcess> {
  const api = await startApi(environment);
  opened.push(api);
  return api;
}

interface Body {
  readonly [name: string]: unknown;
}
const json = async (response: Promise<Response>) => (await (await response).json()) as Body;
const row = { entity_id: 'e-1', features: { x: 1 } };

describe('the API process', () => {
  it('predicts, records, takes feedback, and shows it all', async () => {
    const api = await start();
    const prediction = await json(api.call('POST', '/predict', row));
    expect(prediction).toMatchObject({ model: 'm', model_version: 1, variant: 'champion', risk: 'low' });
    expect(prediction['probability']).toBeCloseTo(0.1, 6);
    const requestId = String(prediction['request_id']);
    await expect.poll(() => api.t.registry.records.findPrediction(requestId), { timeout: 10_000 }).not.toBeNull();
    const feedback = { request_id: requestId, label: 'yes' };
    expect(await json(api.call('POST', '/feedback', feedback))).toEqual({ accepted: true, matched: 1 });

    const refused = await api.call('POST', '/predict', { features: { x: 'much', y: 1 } });
    expect(refused.status).toBe(422);
    const batch = await json(
      api.call('POST', '/predict/batch', { instances: [row, { features: { x: 'much' } }, row] }),
    );
    const predictions = batch['predictions'] as Body[];
    expect(predictions.map((p) => 'error' in p)).toEqual([false, true, false]);

    expect(await json(api.call('GET', '/models'))).toMatchObject({
      models: [{ name: 'm', aliases: { champion: 1 }, versions: 2, routing: { generation: 1 } }],
    });
    expect(await json(api.call('GET', '/health/detailed'))).toMatchObject({
      status: 'ok',
      dependencies: { postgres: { status: 'up' }, temporal: { status: 'up' }, artefacts: { status: 'up' } },
    });
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toContain('predictions_total{model="m",model_version="1",variant="champion",status="ok"} 3');
    expect(metrics).toContain('status="invalid"} 2');
    expect(api.logs()).not.toContain(api.key);
  });

  it('takes keys at once that are made elsewhere, and refuses those revoked elsewhere', async () => {
    const api = await start();
    const { key, row: stored } = createApiKey('other process', ['predict']);
    await api.t.registry.keys.create(stored, 'test');
    const status = async () => {
      const headers = { 'x-api-key': key, 'content-type': 'application/json' };
      return (await fetch(`${api.url}/predict`, { method: 'POST', headers, body: JSON.stringify(row) })).status;
    };
    await expect.poll(status, { timeout: 5_000 }).toBe(200);
    await api.t.registry.keys.revoke(stored.id, 'test');
    await expect.poll(status, { timeout: 5_000 }).toBe(401);
  });

  it('starts trainings and rollouts once, and says what runs', async () => {
    const api = await start({ SLUICE_TASK_QUEUE: `nobody-works-here-${Date.now()}` });
    // Another file that uses this Temporal may have had a training of this name, and has ended it.
    expect(['none', 'failed']).toContain((await json(api.call('GET', '/models/m/train')))['status']);
    const started = await json(api.call('POST', '/models/m/train', { seed: 3 }));
    expect(started).toMatchObject({ workflow_id: 'train/m' });
    const again = await api.call('POST', '/models/m/train');
    expect(again.status).toBe(409);
    expect(((await again.json()) as Body)['detail']).toContain(String(started['run_id']));
    expect(await json(api.call('GET', '/models/m/train'))).toMatchObject({ status: 'running', progress: null });

    expect((await api.call('POST', '/rollouts', { model: 'm', version: 2 })).status).toBe(202);
    expect((await api.call('POST', '/rollouts', { model: 'm', version: 2 })).status).toBe(409);
    // Nobody works: the command waits for its deadline, and expires.
    const command = await api.call('POST', '/rollouts/m/pause');
    expect(command.status).toBe(503);
    expect(((await command.json()) as Body)['detail']).toContain('will not be applied later');
  });

  it('predicts while Temporal is away, and answers 503 soon where it is needed', async () => {
    const api = await start({ TEMPORAL_ADDRESS: '127.0.0.1:1' });
    expect((await api.call('POST', '/predict', row)).status).toBe(200);
    for (const [path, body] of [
      ['/models/m/train', {}],
      ['/rollouts', { model: 'm', version: 2 }],
      ['/rollouts/m/abort', {}],
    ] as const) {
      const startedAt = performance.now();
      const answer = await api.call('POST', path, body);
      expect(answer.status, path).toBe(503);
      expect(answer.headers.get('retry-after')).toBe('2');
      expect(performance.now() - startedAt).toBeLessThan(5_000);
    }
    expect(await json(api.call('GET', '/health/detailed'))).toMatchObject({
      status: 'degraded',
      dependencies: { temporal: { status: 'down' } },
    });
  });
});

describe('the end of the API process', () => {
  it('on SIGTERM under load drops nothing that is in flight, records it all, and exits with 0', async () => {
    const api = await start();
    const answered: string[] = [];
    const broken: unknown[] = [];
    const client = async (): Promise<void> => {
      for (;;) {
        try {
          const answer = await api.call('POST', '/predict', row);
          const body = (await answer.json()) as Body;
          if (answer.status === 200) answered.push(String(body['request_id']));
          else broken.push(body);
        } catch (error) {
          // Refused: the port is closed. Anything else was dropped on its way.
          const { code } = ((error as Error).cause ?? {}) as { code?: string };
          if (code !== 'ECONNREFUSED') broken.push(error);
          return;
        }
      }
    };
    const clients = Array.from({ length: 8 }, () => client());
    await expect.poll(() => answered.length, { timeout: 20_000 }).toBeGreaterThan(200);
    api.child.kill('SIGTERM');
    expect(await api.exited()).toBe(0);
    await Promise.all(clients);
    expect(broken).toEqual([]);
    const [{ count }] = (await api.t.sql`select count(*)::int as count from predictions`) as unknown as [
      { count: number },
    ];
    expect(count).toBe(answered.length);
  });

  it('follows the end of its supervisor', async () => {
    const api = await start();
    api.child.disconnect();
    expect(await api.exited()).toBe(0);
  });

  it('at the start names every setting that is wrong', async () => {
    await expect(start({ DATABASE_URL: 'mysql://x', SLUICE_PORT: 'eighty' })).rejects.toThrow(
      /SLUICE_PORT.*DATABASE_URL/s,
    );
  });
});
