import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { givenModel, newRollout, openTestRegistry, race, snapshotOf, type TestRegistry } from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

describe('rollouts', () => {
  it('opens one of many that start at the same time; the others learn which one is open', async () => {
    await givenModel(t.registry, 'race', 2);
    const stores = [t.registry.rollouts, t.another().rollouts, t.another().rollouts];
    const { won, lost } = await race(Array.from({ length: 9 }, (_, i) => stores[i % 3]!.open(newRollout('race'))));
    expect(won).toHaveLength(1);
    expect(lost).toHaveLength(8);
    const open = won[0]!;
    for (const error of lost) {
      expect(error).toMatchObject({ code: 'conflict' });
      const { message } = error as Error;
      for (const part of [open.id, 'version 2', 'somebody', open.startedAt.toISOString()])
        expect(message).toContain(part);
    }
    expect(await t.registry.rollouts.findOpen('race')).toEqual(open);
  });

  it('takes the same id again as a success, also at the same time', async () => {
    await givenModel(t.registry, 'same', 2);
    const row = newRollout('same');
    const other = t.another().rollouts;
    const { won } = await race([t.registry.rollouts, other, other, other].map((r) => r.open(row)));
    expect(won.map((r) => r.id)).toEqual([row.id, row.id, row.id, row.id]);
    const audit = await t.registry.audit.list({ subject: 'same', limit: 10 });
    expect(audit.filter((e) => e.action === 'rollout.open')).toHaveLength(1);
  });

  it('follows a rollout to its end, after which the next one may start', async () => {
    await givenModel(t.registry, 'life', 2);
    const { rollouts } = t.registry;
    const row = newRollout('life', { reason: 'because' });
    expect(await rollouts.open(row)).toMatchObject({
      phase: 'starting',
      snapshot: null,
      reason: 'because',
      finishedAt: null,
    });
    const running = snapshotOf(row);
    await rollouts.progress(row.id, running);
    expect(await rollouts.find(row.id)).toMatchObject({ phase: 'running', snapshot: running });
    const ended = snapshotOf(row, { phase: 'promoted', weightPercent: 100 });
    await rollouts.close(row.id, ended, 'all steps passed');
    // Late retries change nothing.
    await rollouts.progress(row.id, running);
    await rollouts.close(row.id, snapshotOf(row, { phase: 'aborted' }), 'too late');
    const closed = await rollouts.find(row.id);
    expect(closed).toMatchObject({ phase: 'promoted', snapshot: ended, reason: 'all steps passed' });
    expect(closed?.finishedAt).toBeInstanceOf(Date);
    expect(await rollouts.findOpen('life')).toBeNull();
    const next = await rollouts.open(newRollout('life', { champion: null }));
    expect((await rollouts.list({ model: 'life', limit: 10 })).map((r) => r.id)).toEqual([next.id, row.id]);
    expect(await rollouts.list({ limit: 1 })).toHaveLength(1);
  });

  it('refuses versions that do not exist', async () => {
    await givenModel(t.registry, 'absent', 1);
    const failed = t.registry.rollouts.open(newRollout('absent'));
    await expect(failed).rejects.toMatchObject({ code: 'notFound', message: /no version 2/ });
  });

  it('answers null or notFound for an id that is unknown or no id', async () => {
    const { rollouts } = t.registry;
    expect(await rollouts.find(randomUUID())).toBeNull();
    expect(await rollouts.find('a-model-name')).toBeNull();
    const unknown = newRollout('any');
    await expect(rollouts.progress(unknown.id, snapshotOf(unknown))).rejects.toMatchObject({ code: 'notFound' });
    await expect(rollouts.close(unknown.id, snapshotOf(unknown), 'x')).rejects.toMatchObject({ code: 'notFound' });
  });
});
