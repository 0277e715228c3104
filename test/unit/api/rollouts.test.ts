import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../domain/errors.ts';
import { ROLLOUT_ID, rollout, snapshot } from './support/samples.ts';
import { STARTED_ID } from './support/fake-ports.ts';
import { createTestApp } from './support/test-app.ts';

const start = { model: 'leavers', version: 2 };

describe('POST /rollouts', () => {
  it('starts one and answers when it is open', async () => {
    const { call, control } = await createTestApp();
    const body = { ...start, strategy: 'blue-green', reason: 'better', plan: { limits: { p95MsMax: 80 } } };
    const answer = await call('POST', '/rollouts', { body });
    expect(answer.status).toBe(202);
    const started = { rollout_id: STARTED_ID, workflow_id: 'rollout/leavers', run_id: 'run-9' };
    expect(answer.json).toEqual(started);
    expect((await call('GET', `/rollouts/${STARTED_ID}`)).json).toMatchObject({ id: STARTED_ID, candidate: 2 });
    expect(control.startRollout).toHaveBeenCalledWith({ ...body, requestedBy: 'key:admin-key' });
  });

  it.each([
    ['an unknown model', { ...start, model: 'nobody' }, 404],
    ['an unknown version', { ...start, version: 9 }, 404],
    ['a version whose gates failed', { ...start, version: 3 }, 409],
    ['the champion itself', { ...start, version: 1 }, 409],
    ['a wrong strategy', { ...start, strategy: 'big-bang' }, 422],
    ['weights that do not grow', { ...start, plan: { steps: [{ weightPercent: 100, bakeTimeMs: -1 }] } }, 422],
    ['a plan field that does not exist', { ...start, plan: { speed: 1 } }, 422],
    ['no version', { model: 'leavers' }, 422],
  ])('refuses %s', async (_what, body, status) => {
    const { call, control } = await createTestApp();
    const answer = await call('POST', '/rollouts', { body });
    expect(answer.status).toBe(status);
    expect(control.startRollout).not.toHaveBeenCalled();
  });

  it('checks the plan as the domain does, for every strategy', async () => {
    const { call } = await createTestApp();
    for (const strategy of ['canary', 'blue-green', 'all-at-once']) {
      const body = { ...start, strategy, plan: { minRequests: -1, observeEveryMs: 1 } };
      const answer = await call('POST', '/rollouts', { body });
      expect(answer.fields).toEqual(['plan.minRequests', 'plan.observeEveryMs']);
    }
  });

  it('names the rollout that is open, whether the registry or Temporal knows of it', async () => {
    const { call, world, control } = await createTestApp();
    // Another start is a moment ahead: its row appears while this one is refused.
    control.startRollout.mockImplementationOnce(() => {
      world.rollouts = [rollout()];
      return Promise.reject(new DomainError('conflict', 'rollout/leavers is running'));
    });
    const late = await call('POST', '/rollouts', { body: start });
    expect(late.status).toBe(409);
    expect(late.json.detail).toContain(ROLLOUT_ID);
    const answer = await call('POST', '/rollouts', { body: start });
    expect(answer.status).toBe(409);
    expect(answer.json.detail).toContain(ROLLOUT_ID);
  });
});

describe('GET /rollouts', () => {
  it('lists what the registry has', async () => {
    const { call, world } = await createTestApp();
    world.rollouts = [rollout(new Date())];
    const { json } = await call('GET', '/rollouts?model=leavers&limit=5', { key: 'monitor' });
    expect(json.rollouts).toHaveLength(1);
    expect(json.rollouts[0]).toMatchObject({ id: ROLLOUT_ID, phase: 'promoted', started_by: 'key:operator' });
    expect((await call('GET', '/rollouts?model=other')).json.rollouts).toEqual([]);
  });

  it.each([ROLLOUT_ID, 'leavers'])('shows one by %s, live while it is open', async (name) => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [rollout()];
    control.rolloutStatus.mockResolvedValueOnce({ ...snapshot, phase: 'paused' });
    expect((await call('GET', `/rollouts/${name}`)).json).toMatchObject({ phase: 'paused' });
    // No worker answers: the recorded state will do.
    expect((await call('GET', `/rollouts/${name}`)).json).toMatchObject({ phase: 'running' });
    world.rollouts = [rollout(new Date())];
    expect((await call('GET', `/rollouts/${name}`)).json).toMatchObject({ phase: 'promoted' });
    expect(control.rolloutStatus).toHaveBeenCalledTimes(2);
  });

  it('does not show the state of another rollout as its own', async () => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [rollout()];
    control.rolloutStatus.mockResolvedValueOnce({ ...snapshot, rolloutId: 'another', phase: 'aborted' });
    expect((await call('GET', '/rollouts/leavers')).json).toMatchObject({ phase: 'running' });
  });

  it.each(['nobody', '00000000-0000-4000-8000-000000000000'])('answers 404 for %s', async (name) => {
    const { call } = await createTestApp();
    expect((await call('GET', `/rollouts/${name}`)).status).toBe(404);
  });
});

describe('POST /rollouts/{rollout}/{command}', () => {
  it.each(['promote', 'pause', 'resume', 'abort', 'rollback'] as const)('%s reaches the workflow', async (command) => {
    const { call, world, control } = await createTestApp();
    const answer = await call('POST', `/rollouts/leavers/${command}`, { body: { reason: 'because' } });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ applied: command, status: snapshot });
    expect(control.rolloutCommand).toHaveBeenCalledWith('leavers', command, {
      by: 'key:admin-key',
      reason: 'because',
    });
    expect(world.audit).toMatchObject([{ action: `rollout.${command}`, subject: 'leavers', reason: 'because' }]);
  });

  it('refuses a command there is not', async () => {
    const { call } = await createTestApp();
    const answer = await call('POST', '/rollouts/leavers/explode');
    expect(answer.status).toBe(422);
    expect(answer.json.problems[0].allowed).toContain('rollback');
  });

  it('says that a command expired, and that it will not be applied later', async () => {
    const { call, control, world } = await createTestApp();
    control.rolloutCommand.mockResolvedValueOnce({ kind: 'expired' });
    const answer = await call('POST', '/rollouts/leavers/pause');
    expect(answer.status).toBe(503);
    expect(answer.json.detail).toContain('will not be applied later');
    expect(world.audit).toEqual([]);
  });

  it("passes the workflow's refusal on", async () => {
    const { call, control } = await createTestApp();
    control.rolloutCommand.mockRejectedValueOnce(new DomainError('refused', 'it is paused already'));
    const answer = await call('POST', '/rollouts/leavers/pause');
    expect(answer.json).toMatchObject({ status: 409, error: 'refused', detail: 'it is paused already' });
  });

  it.each(['promote', 'pause', 'resume', 'abort'])('%s with nothing running is refused', async (command) => {
    const { call, control } = await createTestApp();
    control.rolloutCommand.mockResolvedValueOnce({ kind: 'notRunning' });
    const answer = await call('POST', `/rollouts/leavers/${command}`);
    expect(answer.status).toBe(409);
    expect(control.startRollout).not.toHaveBeenCalled();
  });

  it('does not send a command for a finished rollout to the one that runs now', async () => {
    const { call, world, control } = await createTestApp();
    const other = { ...rollout(), id: '7f1d9f0e-8f5b-4d7e-9a59-0c6f6e8f2b11' };
    world.rollouts = [rollout(new Date()), other];
    const answer = await call('POST', `/rollouts/${ROLLOUT_ID}/abort`);
    expect(answer.status).toBe(409);
    expect(answer.json.detail).toContain(other.id);
    expect(control.rolloutCommand).not.toHaveBeenCalled();
  });
});

describe('a rollback after the rollout has ended', () => {
  it.each(['leavers', ROLLOUT_ID])('goes back to the previous version all at once (%s)', async (name) => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [rollout(new Date())];
    world.aliases = { champion: 2, previous: 1 };
    control.rolloutCommand.mockResolvedValueOnce({ kind: 'notRunning' });
    const answer = await call('POST', `/rollouts/${name}/rollback`, { body: { reason: 'complaints' } });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({
      applied: 'rollback',
      status: null,
      version: 1,
      rollout_id: STARTED_ID,
      workflow_id: 'rollout/leavers',
      run_id: 'run-9',
    });
    expect(control.startRollout).toHaveBeenCalledWith({
      model: 'leavers',
      version: 1,
      strategy: 'all-at-once',
      requestedBy: 'key:admin-key',
      reason: 'complaints',
    });
  });

  it('is refused when there is no previous version, and for models there are not', async () => {
    const { call, control } = await createTestApp();
    control.rolloutCommand.mockResolvedValue({ kind: 'notRunning' });
    expect((await call('POST', '/rollouts/leavers/rollback')).status).toBe(409);
    expect((await call('POST', '/rollouts/nobody/rollback')).status).toBe(404);
  });

  it('of one that went back goes forward again, and releases its version', async () => {
    const { call, world, control } = await createTestApp();
    world.rollouts = [{ ...rollout(new Date()), phase: 'rolledBack' }];
    world.versions = world.versions.map((v) => (v.version === 2 ? { ...v, status: 'quarantined' as const } : v));
    const answer = await call('POST', `/rollouts/${ROLLOUT_ID}/rollback`);
    expect(answer.json).toMatchObject({ version: 2, rollout_id: STARTED_ID });
    expect(control.startRollout).toHaveBeenCalledWith(expect.objectContaining({ strategy: 'all-at-once', version: 2 }));
    expect(world.versions.find((v) => v.version === 2)).toMatchObject({ status: 'accepted' });
    expect(world.audit.at(-1)).toMatchObject({ actor: 'key:admin-key', reason: expect.stringContaining(ROLLOUT_ID) });
  });

  it('is refused when others changed the champion since', async () => {
    const { call, world } = await createTestApp();
    world.rollouts = [rollout(new Date())];
    world.aliases = { champion: 3, previous: 2 };
    const answer = await call('POST', `/rollouts/${ROLLOUT_ID}/rollback`);
    expect(answer.status).toBe(409);
    expect(answer.json.detail).toContain('left version 2 of leavers as champion, which is version 3 by now');
  });
});
