import { describe, expect, it, vi } from 'vitest';
import { DomainError } from '../../../domain/errors.ts';
import { evaluation } from './support/samples.ts';
import { createTestApp } from './support/test-app.ts';

describe('POST /models/{model}/train', () => {
  it('starts a training with what was asked, and writes down who did', async () => {
    const { call, control, world } = await createTestApp();
    const body = { seed: 7, algorithms: ['gradient-boosting'], rollout: { strategy: 'canary' } };
    const answer = await call('POST', '/models/leavers/train', { body });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ workflow_id: 'train/leavers', run_id: 'run-9' });
    expect(control.startTraining).toHaveBeenCalledWith({ model: 'leavers', ...body, requestedBy: 'key:admin-key' });
    expect(world.audit).toMatchObject([{ actor: 'key:admin-key', action: 'training.start', subject: 'leavers' }]);
  });

  it('needs no body', async () => {
    const { call, control } = await createTestApp();
    expect((await call('POST', '/models/leavers/train')).status).toBe(202);
    expect(control.startTraining).toHaveBeenCalledWith({ model: 'leavers', requestedBy: 'key:admin-key' });
  });

  it('refuses wrong fields, each by name', async () => {
    const { call, control } = await createTestApp();
    const body = { seed: -1, algorithms: ['magic'], rollout: 'yes', speed: 1 };
    const answer = await call('POST', '/models/leavers/train', { body });
    expect(answer.status).toBe(422);
    const problems = answer.json.problems as { field: string; allowed?: string[] }[];
    expect(problems.map((p) => p.field).sort()).toEqual(['algorithms[0]', 'rollout', 'seed', 'speed']);
    expect(problems.find((p) => p.field === 'algorithms[0]')!.allowed).toEqual([
      'spline-logistic',
      'gradient-boosting',
    ]);
    expect(control.startTraining).not.toHaveBeenCalled();
  });

  it('passes on that one is running, and that Temporal is away', async () => {
    const { call, control } = await createTestApp();
    control.startTraining.mockRejectedValueOnce(new DomainError('conflict', 'train/leavers is running'));
    expect((await call('POST', '/models/leavers/train')).json).toMatchObject({ status: 409, error: 'conflict' });
    control.startTraining.mockRejectedValueOnce(new DomainError('unavailable', 'Temporal does not answer'));
    const away = await call('POST', '/models/leavers/train');
    expect(away.status).toBe(503);
    expect(away.headers.get('retry-after')).toBe('2');
  });

  it('does not call a started training a failure when the audit cannot be written', async () => {
    const { call, registry, log } = await createTestApp();
    registry.audit.write = vi.fn().mockRejectedValue(new DomainError('unavailable', 'the database is away'));
    expect((await call('POST', '/models/leavers/train')).status).toBe(202);
    expect(log.error).toHaveBeenCalledOnce();
  });

  it('knows its models', async () => {
    const { call } = await createTestApp();
    expect((await call('POST', '/models/nobody/train')).status).toBe(404);
    expect((await call('GET', '/models/nobody/train')).status).toBe(404);
  });
});

describe('GET /models/{model}/train', () => {
  it('shows that there was none, what runs, and how it ended', async () => {
    const { call, control } = await createTestApp();
    const show = () => call('GET', '/models/leavers/train', { key: 'monitor' });
    expect((await show()).json).toEqual({
      workflow_id: 'train/leavers',
      run_id: null,
      status: 'none',
      progress: null,
      result: null,
      failure: null,
    });
    const known = { workflowId: 'train/leavers', runId: 'r', progress: null, result: null, failure: null };
    const detail = { stage: 'fit', done: 1, total: 5, message: 'fold 1 of 5' };
    const progress = { stage: 'train', done: 3, total: 7, message: 'fits', startedAtMs: 1, detail } as const;
    control.trainingStatus.mockResolvedValueOnce({ ...known, status: 'running', progress });
    expect((await show()).json).toMatchObject({ status: 'running', progress });
    const result = {
      kind: 'accepted',
      model: 'leavers',
      version: 2,
      algorithm: 'spline-logistic',
      artefactDigest: 'a',
      evaluation,
      gates: [],
      rollout: null,
    } as const;
    control.trainingStatus.mockResolvedValueOnce({ ...known, status: 'completed', result });
    expect((await show()).json).toMatchObject({ status: 'completed', result });
    control.trainingStatus.mockResolvedValueOnce({ ...known, status: 'failed', failure: 'no such file' });
    expect((await show()).json).toMatchObject({ status: 'failed', failure: 'no such file' });
  });
});
