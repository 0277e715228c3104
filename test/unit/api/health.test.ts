import { describe, expect, it } from 'vitest';
import { createTestApp } from './support/test-app.ts';

describe('health', () => {
  it('is alive whatever happens', async () => {
    const { call, serving } = await createTestApp({ isDraining: () => true });
    serving.status.mockReturnValue({ ready: false, reasons: ['x'], recordsQueued: 0, recordsDropped: 0 });
    for (const path of ['/alive', '/livez']) expect((await call('GET', path, { key: null })).status).toBe(200);
  });

  it('is ready when the models are, and says what is missing before', async () => {
    const { call, serving } = await createTestApp();
    for (const path of ['/ready', '/readyz']) {
      expect((await call('GET', path)).json).toEqual({ ready: true, reasons: [] });
    }
    const reasons = ['leavers version 2 is being loaded'];
    serving.status.mockReturnValue({ ready: false, reasons, recordsQueued: 0, recordsDropped: 0 });
    const answer = await call('GET', '/readyz');
    expect(answer.status).toBe(503);
    expect(answer.json).toEqual({ ready: false, reasons });
    expect((await call('GET', '/health')).json).toEqual({ status: 'starting' });
  });

  it('is not ready while it stops', async () => {
    const { call } = await createTestApp({ isDraining: () => true });
    const answer = await call('GET', '/ready');
    expect(answer.status).toBe(503);
    expect(answer.json.reasons).toEqual(['the process is stopping']);
    expect((await call('GET', '/health')).json).toEqual({ status: 'draining' });
  });

  it('asks every dependency, each with its latency', async () => {
    const { call, control } = await createTestApp();
    const ok = await call('GET', '/health/detailed', { key: 'monitor' });
    expect(ok.json).toMatchObject({
      status: 'ok',
      version: '1.2.3',
      dependencies: { postgres: { status: 'up', message: null }, temporal: { status: 'up' } },
      models: [{ model: 'leavers', generation: 4 }],
      records: { queued: 2, dropped: 0 },
      keys: { loaded: 3, age_ms: 0 },
    });
    control.check.mockRejectedValueOnce(new Error('not reachable'));
    const degraded = await call('GET', '/health/detailed', { key: 'monitor' });
    expect(degraded.status).toBe(200);
    expect(degraded.json).toMatchObject({
      status: 'degraded',
      dependencies: { temporal: { status: 'down', message: 'not reachable' } },
    });
  });

  it('tells how the journal stands, and is degraded while it cannot be written', async () => {
    const figures = { bytes: 4096, lagSeconds: 1.25, shipped: 7, dropped: 5, rejected: 1, spilled: 3, waiting: 10 };
    let notWritable = false;
    const { call } = await createTestApp({ journal: () => ({ ...figures, notWritable }) });
    const ok = await call('GET', '/health/detailed');
    expect(ok.json).toMatchObject({
      status: 'ok',
      // Two of the fake wait in memory.
      records: { queued: 12, dropped: 5 },
      journal: { bytes: 4096, lag_s: 1.3, shipped: 7, dropped: 5, rejected: 1, spilled: 3, failing: false },
    });
    notWritable = true;
    const full = await call('GET', '/health/detailed');
    expect(full.json).toMatchObject({ status: 'degraded', journal: { failing: true } });
    const { text } = await call('GET', '/metrics');
    expect(text).toContain('journal_bytes 4096');
    expect(text).toContain('journal_lag_seconds 1.25');
    expect(text).toContain('journal_shipped_total 7');
    expect(text).toContain('journal_dropped_records_total 5');
  });

  it('gives up on a dependency that does not answer', async () => {
    const { call, control } = await createTestApp();
    control.check.mockReturnValueOnce(new Promise(() => undefined));
    const answer = await call('GET', '/health/detailed');
    expect(answer.json.dependencies.temporal).toMatchObject({
      status: 'down',
      message: 'no answer within 2000 ms',
    });
  });
});
