import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Activities } from '../../activities/contract.ts';
import type { RolloutGroupResult } from '../../workflows/messages.ts';
import { withWorker } from './environment.ts';
import { createFakeRollout, PLAN, type FakeOptions } from './fake-rollout.ts';
import { CHAMPION_ALONE, MINUTE_MS, rolloutStories } from './rollout-story.ts';

const { environment } = rolloutStories();

/** A registry per model behind one set of activities. */
function severalModels(models: Readonly<Record<string, FakeOptions>>) {
  const fakes = Object.fromEntries(Object.entries(models).map(([m, options]) => [m, createFakeRollout(options)]));
  const owners = new Map<string, string>();
  const names = Object.keys(Object.values(fakes)[0]!.activities) as (keyof Activities)[];
  const route = (name: keyof Activities) => (input: { model?: string; rolloutId?: string }) => {
    if (input.model !== undefined && input.rolloutId !== undefined) owners.set(input.rolloutId, input.model);
    const model = input.model ?? owners.get(input.rolloutId ?? '') ?? '';
    return (fakes[model]!.activities as unknown as Record<string, (i: unknown) => Promise<unknown>>)[name]!(input);
  };
  const activities = Object.fromEntries(names.map((name) => [name, route(name)])) as unknown as Partial<Activities>;
  return { fakes, activities };
}

async function rollOut(models: Readonly<Record<string, FakeOptions>>) {
  const { fakes, activities } = severalModels(models);
  const taskQueue = randomUUID();
  const group = `group-${taskQueue}`;
  const members = Object.keys(models).map((model) => ({ model, version: 2 }));
  const value = await withWorker(environment(), taskQueue, activities, () =>
    environment().env.client.workflow.execute('rolloutGroup', {
      workflowId: `rollout-group/${group}`,
      taskQueue,
      args: [{ group, members }],
    }),
  );
  return { fakes, value: value as RolloutGroupResult };
}

describe('a group of models', () => {
  it('takes each step together, the slowest last, and ends together', async () => {
    const slow = { ...PLAN, steps: PLAN.steps.map((s) => ({ ...s, bakeTimeMs: 3 * s.bakeTimeMs })) };
    const { fakes, value } = await rollOut({ fast: {}, slow: { plan: { ...slow, keepWarmMs: 120 * MINUTE_MS } } });
    expect(value.outcome).toBe('promoted');
    for (const fake of Object.values(fakes)) expect(fake.weights).toEqual([5, 25, 100, 100]);
  });

  it('goes back as a whole when one goes back', async () => {
    const { fakes, value } = await rollOut({
      good: {},
      bad: { verdict: (w) => (w === 25 ? 'rollback' : 'healthy') },
    });
    expect(value).toMatchObject({ outcome: 'rolledBack', members: [{ model: 'good' }, { model: 'bad' }] });
    for (const fake of Object.values(fakes)) {
      expect(fake.routes).toEqual(CHAMPION_ALONE);
      expect(fake.weights).not.toContain(100);
    }
  });
});
