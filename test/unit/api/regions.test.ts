import { describe, expect, it, vi } from 'vitest';
import { DomainError } from '../../../domain/errors.ts';
import { createTestApp } from './support/test-app.ts';

const ID = '6f1d9f0e-8f5b-4d7e-9a59-0c6f6e8f2b11';
const FEATURES = { contract: 'yearly', months: 3, charge: 50, paperless: true };
const foreign = () => Promise.reject(new DomainError('fenced', 'Region west owns epoch 4, not region east'));

/** What goes on in a region that does not own the epoch, of all that is not reading. */
const GO_ON = [
  'POST /rollouts/plan',
  'POST /rollouts/backtest',
  'POST /webhooks/{id}/test',
  'POST /backups/{id}/verify',
  'POST /backups/drills',
  'DELETE /keys/{id}',
  'POST /v2/repository/models/{model}/load',
  'POST /v2/repository/models/{model}/unload',
  'POST /predict',
  'POST /predict/batch',
  'POST /models/{model}/predict',
  'POST /feedback',
  'POST /outcomes',
  'POST /v2/models/{model}/infer',
  'POST /v2/models/{model}/versions/{version}/infer',
  'POST /v2/repository/index',
  'POST /v1/models/{model}:{verb}',
  'POST /invocations',
];

/** Never asked: the request ends before it. */
const desk = {} as never;
const imports = {} as never;

describe('a region that does not own the epoch', () => {
  it('refuses every control write before anything is done, with one status and code', async () => {
    const { app, call, control, world } = await createTestApp({ requireLease: foreign, desk, imports });
    const routes = app.openAPIRegistry.definitions.flatMap((d) => (d.type === 'route' ? [d.route] : []));
    const writes = routes.filter((r) => r.method !== 'get');
    const refused: string[] = [];
    for (const { method, path } of writes) {
      const name = `${method.toUpperCase()} ${path}`;
      const filled = path
        .replaceAll('{model}', 'leavers')
        .replaceAll('{version}', '1')
        .replaceAll('{verb}', 'predict')
        .replaceAll('{command}', 'abort')
        .replaceAll(/\{(id|rollout)\}/g, ID);
      const { json, status } = await call(method.toUpperCase(), filled, { body: {} });
      if (GO_ON.includes(name)) expect(json?.error, name).not.toBe('fenced');
      else refused.push(name);
      if (!GO_ON.includes(name)) expect({ status, error: json.error }, name).toEqual({ status: 409, error: 'fenced' });
    }
    expect(refused.length + GO_ON.length).toBe(writes.length);
    expect(refused).toEqual(
      expect.arrayContaining(['POST /models/{model}/train', 'POST /rollouts', 'POST /backups', 'POST /keys']),
    );
    expect(control.startTraining).not.toHaveBeenCalled();
    expect(control.startRollout).not.toHaveBeenCalled();
    expect(world.audit.map((entry) => entry.action)).toEqual([]);
  });

  it('answers predictions and reads, and does not ask for the lease', async () => {
    const requireLease = vi.fn(foreign);
    const { call } = await createTestApp({ requireLease });
    const answer = await call('POST', '/predict', { key: 'predict', body: { model: 'leavers', features: FEATURES } });
    expect(answer.status).toBe(200);
    expect((await call('GET', '/models')).status).toBe(200);
    expect((await call('GET', '/ready')).status).toBe(200);
    expect(requireLease).not.toHaveBeenCalled();
  });

  it('looks at the key first: who may not write does not learn who owns the epoch', async () => {
    const { call } = await createTestApp({ requireLease: foreign });
    expect((await call('POST', '/models/leavers/train', { key: null })).status).toBe(401);
    expect((await call('POST', '/models/leavers/train', { key: 'monitor' })).status).toBe(403);
  });
});
