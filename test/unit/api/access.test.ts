import { describe, expect, it } from 'vitest';
import type { KeyDirectory } from '../../../api/security/key-directory.ts';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import { createTestApp } from './support/test-app.ts';

const ID = '6f1d9f0e-8f5b-4d7e-9a59-0c6f6e8f2b11';

/** Every route that is not open, and the permission it needs. */
const ROUTES = [
  ['POST', '/predict', 'predict'],
  ['POST', '/predict/batch', 'predict'],
  ['POST', '/models/leavers/predict', 'predict'],
  ['POST', '/feedback', 'predict'],
  ['GET', '/models', 'monitor'],
  ['POST', '/models', 'admin'],
  ['GET', '/models/leavers', 'monitor'],
  ['GET', '/models/leavers/versions', 'monitor'],
  ['GET', '/models/leavers/versions/1', 'monitor'],
  ['POST', '/models/leavers/train', 'admin'],
  ['GET', '/models/leavers/train', 'monitor'],
  ['POST', '/rollouts', 'admin'],
  ['GET', '/rollouts', 'monitor'],
  ['GET', `/rollouts/${ID}`, 'monitor'],
  ['POST', `/rollouts/${ID}/abort`, 'admin'],
  ['GET', `/rollouts/${ID}/report`, 'monitor'],
  ['POST', `/rollouts/${ID}/approve`, 'monitor'],
  ['POST', '/rollouts/plan', 'monitor'],
  ['POST', '/rollouts/backtest', 'monitor'],
  ['GET', '/stop-the-line', 'monitor'],
  ['POST', '/stop-the-line', 'admin'],
  ['POST', '/triggers', 'admin'],
  ['POST', '/triggers/alertmanager', 'admin'],
  ['GET', '/models/leavers/ledger', 'monitor'],
  ['POST', '/models/leavers/versions/1/release', 'admin'],
  ['POST', '/outcomes', 'predict'],
  ['GET', '/webhooks', 'admin'],
  ['POST', '/webhooks', 'admin'],
  ['DELETE', `/webhooks/${ID}`, 'admin'],
  ['POST', `/webhooks/${ID}/test`, 'admin'],
  ['POST', '/keys', 'admin'],
  ['GET', '/keys', 'admin'],
  ['DELETE', `/keys/${ID}`, 'admin'],
  ['GET', '/audit', 'monitor'],
  ['GET', '/health/detailed', 'monitor'],
  ['GET', '/router/metrics', 'monitor'],
  ['GET', '/v2/models/leavers', 'predict'],
  ['GET', '/v2/models/leavers/versions/1', 'predict'],
  ['GET', '/v2/models/leavers/ready', 'predict'],
  ['GET', '/v2/models/leavers/versions/1/ready', 'predict'],
  ['POST', '/v2/models/leavers/infer', 'predict'],
  ['POST', '/v2/models/leavers/versions/1/infer', 'predict'],
  ['POST', '/v2/repository/index', 'predict'],
  ['POST', '/v2/repository/models/leavers/load', 'admin'],
  ['POST', '/v2/repository/models/leavers/unload', 'admin'],
  ['GET', '/v1/models', 'predict'],
  ['GET', '/v1/models/leavers', 'predict'],
  ['POST', '/v1/models/leavers:predict', 'predict'],
  ['POST', '/invocations', 'predict'],
] as const;
const OPEN = [
  ...['/alive', '/livez', '/ready', '/readyz', '/health', '/docs', '/openapi.json', '/metrics'],
  ...['/v2', '/v2/health/live', '/v2/health/ready', '/ping', '/version'],
];

describe('access', () => {
  it.each(ROUTES)('%s %s needs %s', async (method, path, needed) => {
    const { call } = await createTestApp();
    const none = await call(method, path, { key: null });
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toContain('X-API-Key');
    for (const held of ['predict', 'monitor', 'admin'] as const) {
      const answer = await call(method, path, { key: held });
      const refused = held !== needed && held !== 'admin';
      expect(answer.status === 403, `${held} key`).toBe(refused);
      if (refused) expect(answer.text).toContain(`This needs the permission ${needed}; the key has: ${held}`);
    }
  });

  it('lists every route there is', async () => {
    const { app } = await createTestApp();
    const routes = app.openAPIRegistry.definitions.flatMap((d) => (d.type === 'route' ? [d.route] : []));
    const guarded = routes.filter((r) => r.security?.length === 1);
    expect(guarded).toHaveLength(ROUTES.length);
    expect(routes.filter((r) => r.security?.length === 0).map((r) => r.path)).toEqual(expect.arrayContaining(OPEN));
    expect(routes).toHaveLength(ROUTES.length + OPEN.length + 1);
  });

  it.each(OPEN)('%s is open', async (path) => {
    const { call } = await createTestApp();
    expect((await call('GET', path, { key: null })).status).toBe(200);
  });

  it('says why a key is refused, and never repeats it', async () => {
    const { call, world, keys, keyOf } = await createTestApp();
    world.keys = world.keys.map((row) => ({ ...row, revokedAt: new Date(0) }));
    await keys.refresh();
    const revoked = await call('GET', '/models', { key: 'monitor' });
    expect(revoked.json.detail).toBe('The API key was revoked');
    const stranger = createApiKey('x', ['admin']).key;
    const unknown = await call('GET', '/models', { key: stranger });
    expect(unknown.json.detail).toBe('The API key is not known here');
    const mistyped = `${keyOf.monitor.slice(0, -1)}!`;
    const malformed = await call('GET', '/models', { key: mistyped });
    expect(malformed.json.detail).toContain('mistyped');
    for (const { status, text } of [revoked, unknown, malformed]) {
      expect(status).toBe(401);
      expect(text).not.toMatch(/sk_live_/);
    }
  });

  it('answers 503 before the keys are loaded', async () => {
    const keys: KeyDirectory = {
      check: () => ({ kind: 'notLoaded' }),
      refresh: () => Promise.resolve(),
      start: () => () => undefined,
      status: () => ({ keys: 0, ageMs: null }),
    };
    const { call } = await createTestApp({ keys });
    const answer = await call('GET', '/models');
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('2');
    expect((await call('GET', '/ready')).json.reasons).toEqual(['the API keys are not loaded yet']);
  });
});
