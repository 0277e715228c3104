import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import { CancelledFailure } from '@temporalio/common';
import { describe, expect, it, vi } from 'vitest';
import type { Activities } from '../../activities/contract.ts';
import { rolloutWorkflowId, type RolloutGroupResult } from '../../workflows/messages.ts';
import type { rolloutGroup } from '../../workflows/rollout-group.ts';
import { withWorker } from './environment.ts';
import { createFakeRollout, PLAN, type FakeOptions } from './fake-rollout.ts';
import { CHAMPION_ALONE, HALF_MS, MINUTE_MS, refusalOf, rolloutStories } from './rollout-story.ts';

const { environment } = rolloutStories();

/** A registry per model behind one set of activities. */
function severalModels(models: Readonly<Record<string, FakeOptions>>) {
  const fakes = Object.fromEntries(Object.entries(models).map(([m, options]) => [m, createFakeRollout(options)]));
  const owners = new Map<string, string>();
  const names = Object.keys(Object.values(fakes)[0]!.activities) as (keyof Activities)[];
  const route = (name: keyof Activities) => (input: { model?: string; rolloutId?: string }) => {
    if (input.model !== undefined && input.rolloutId !== undefined) owners.set(input.rolloutId, input.model);
    const model = (input.model ?? owners.get(input.rolloutId ?? '') ?? '').split('-')[0]!;
    return (fakes[model]!.activities as unknown as Record<string, (i: unknown) => Promise<unknown>>)[name]!(input);
  };
  const activities = Object.fromEntries(names.map((name) => [name, route(name)])) as unknown as Partial<Activities>;
  return { fakes, activities };
}

type GroupHandle = WorkflowHandle<typeof rolloutGroup>;

/** Rolls the models out together, and runs `story` beside the group. */
async function rollOut(
  models: Readonly<Record<string, FakeOptions>>,
  story: (group: GroupHandle, member: (model: string) => WorkflowHandle) => Promise<unknown> = () => Promise.resolve(),
) {
  const { fakes, activities } = severalModels(models);
  const taskQueue = randomUUID();
  const group = `group-${taskQueue}`;
  // Each story has its own models: a workflow id names one rollout at a time.
  const own = (model: string) => `${model}-${taskQueue}`;
  const members = Object.keys(models).map((model) => ({ model: own(model), version: 2 }));
  const { client } = environment().env;
  const value = await withWorker(environment(), taskQueue, activities, async () => {
    const handle: GroupHandle = await client.workflow.start('rolloutGroup', {
      workflowId: `rollout-group/${group}`,
      taskQueue,
      args: [{ group, members }],
    });
    await story(handle, (model) => client.workflow.getHandle(rolloutWorkflowId(own(model))));
    return handle.result().catch((error: unknown) => error);
  });
  return { fakes, value: value as RolloutGroupResult, error: value };
}

/** Before the clock skips on: the time-skipping server loses the task of a request that comes at the moment of a look. */
async function toldToCancel(member: WorkflowHandle): Promise<void> {
  await vi.waitFor(
    async () => {
      const { events } = await member.fetchHistory();
      expect(events?.some((event) => event.workflowExecutionCancelRequestedEventAttributes != null)).toBe(true);
    },
    { timeout: 20_000, interval: 20 },
  );
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
    expect(value).toMatchObject({
      outcome: 'rolledBack',
      members: [{ outcome: 'rolledBack' }, { outcome: 'rolledBack' }],
    });
    for (const fake of Object.values(fakes)) {
      expect(fake.routes).toEqual(CHAMPION_ALONE);
      expect(fake.weights).not.toContain(100);
    }
  });

  it('goes back as a whole by the order of a person, who is named', async () => {
    const { fakes, value } = await rollOut({ left: {}, right: {} }, async (group) => {
      await environment().env.sleep(12 * MINUTE_MS + HALF_MS);
      const late = group.executeUpdate('rollback', { args: [{ expiresAt: '2020-01-31T12:00:00Z' }] });
      expect((await refusalOf(late)).message).toContain('expired');
      await group.executeUpdate('rollback', { args: [{ by: 'ann', reason: 'complaints' }] });
    });
    expect(value.outcome).toBe('rolledBack');
    for (const member of value.members) {
      expect(member).toMatchObject({ outcome: 'rolledBack' });
      expect('reason' in member && member.reason).toContain('rollback by ann: complaints');
    }
    for (const fake of Object.values(fakes)) expect(fake.weights).toEqual([5, 25, 0]);
  });

  it('goes back as a whole when somebody aborts one of its members, none of which is promoted alone', async () => {
    const { fakes, value } = await rollOut({ left: {}, right: {} }, async (_group, member) => {
      await environment().env.sleep(2 * MINUTE_MS + HALF_MS);
      const promoted = member('left').executeUpdate('promote', { args: [{}] });
      expect((await refusalOf(promoted)).message).toContain('the rollout belongs to a group');
      await member('left').executeUpdate('abort', { args: [{ by: 'ben' }] });
    });
    expect(value).toMatchObject({
      outcome: 'rolledBack',
      members: [{ outcome: 'aborted' }, { outcome: 'rolledBack' }],
    });
    for (const fake of Object.values(fakes)) expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('gives every member its traffic back before a cancelled group ends', async () => {
    const { fakes, error } = await rollOut({ left: {}, right: {} }, async (group, member) => {
      await environment().env.sleep(2 * MINUTE_MS + HALF_MS);
      await group.cancel();
      await Promise.all(['left', 'right'].map((model) => toldToCancel(member(model))));
    });
    expect(error).toBeInstanceOf(WorkflowFailedError);
    expect((error as WorkflowFailedError).cause).toBeInstanceOf(CancelledFailure);
    for (const fake of Object.values(fakes)) {
      expect(fake.routes).toEqual(CHAMPION_ALONE);
      expect(fake.closed?.snapshot.phase).toBe('aborted');
    }
  });
});
