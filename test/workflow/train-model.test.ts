import { randomUUID } from 'node:crypto';
import { WorkflowFailedError, type WorkflowHandle } from '@temporalio/client';
import type { ApplicationFailure } from '@temporalio/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TrainStatus } from '../../workflows/messages.ts';
import type { trainModel } from '../../workflows/train-model.ts';
import { startEnvironment, withWorker, type WorkflowEnvironment } from './environment.ts';
import { broken, createFakeRollout } from './fake-rollout.ts';
import { createFakeTraining } from './fake-training.ts';

let environment: WorkflowEnvironment;
beforeAll(async () => {
  environment = await startEnvironment();
});
afterAll(async () => {
  await environment.env.teardown();
});

type Handle = WorkflowHandle<typeof trainModel>;
type Fake = ReturnType<typeof createFakeTraining>;

async function given<T>(
  fake: Fake,
  input: unknown,
  story: (handle: Handle, taskQueue: string) => Promise<T>,
  rollout = createFakeRollout({ champion: null }),
): Promise<T> {
  const taskQueue = randomUUID();
  const activities = { ...fake.activities, ...rollout.activities };
  return withWorker(environment, taskQueue, activities, async () => {
    const start = { workflowId: `train/${taskQueue}`, taskQueue, args: [input] as Parameters<typeof trainModel> };
    return story(await environment.env.client.workflow.start<typeof trainModel>('trainModel', start), taskQueue);
  });
}

const result = (handle: Handle) => handle.result();

async function failureOf(handle: Handle): Promise<ApplicationFailure> {
  const error = await handle.result().catch((e: unknown) => e);
  expect(error).toBeInstanceOf(WorkflowFailedError);
  return (error as WorkflowFailedError).cause as ApplicationFailure;
}

describe('a training', () => {
  it('goes from the data to an accepted version', async () => {
    const fake = createFakeTraining();
    const { value, status } = await given(fake, { model: 'prices', seed: 11 }, async (handle) => ({
      value: await result(handle),
      status: await handle.query<TrainStatus>('status'),
    }));
    expect(value).toMatchObject({
      kind: 'accepted',
      model: 'prices',
      version: 3,
      algorithm: 'spline-logistic',
      rollout: null,
      notes: ['gradient-boosting was left out'],
      gates: [{ gate: 'quality.auc', passed: true }],
    });
    expect(fake.calls).toEqual([
      'planTraining',
      'snapshotData',
      'checkData',
      'train',
      'registerVersion',
      'checkGates',
      'settleVersion',
    ]);
    expect(fake.settled).toEqual(['accepted']);
    expect(fake.input('train')).toMatchObject({ plan: { seed: 11 }, dataDigest: 'c'.repeat(64) });
    expect(fake.input('registerVersion')).toMatchObject({ model: 'prices', dataRows: 1_000 });
    expect(status).toMatchObject({ stage: 'done', done: 6, total: 6, message: 'version 3 is accepted' });
  });

  it('rejects a version whose gates fail, and rolls nothing out', async () => {
    const fake = createFakeTraining({ passed: false });
    const value = await given(fake, { model: 'prices', rollout: true }, result);
    expect(value).toMatchObject({ kind: 'rejected', rollout: null });
    expect(fake.settled).toEqual(['rejected']);
  });

  it('ends with the report when the data cannot be trained on', async () => {
    const report = {
      rows: 3,
      columns: 2,
      positives: 0,
      ok: false,
      findings: [
        {
          check: 'balance' as const,
          severity: 'error' as const,
          column: 'sold',
          message: 'one class only',
          evidence: {},
        },
      ],
    };
    const fake = createFakeTraining({ report });
    const { value, status } = await given(fake, { model: 'prices' }, async (handle) => ({
      value: await result(handle),
      status: await handle.query<TrainStatus>('status'),
    }));
    expect(value).toEqual({ kind: 'dataInvalid', model: 'prices', report });
    expect(fake.calls).not.toContain('train');
    expect(status.message).toBe('the data cannot be trained on: one class only');
  });

  it('starts the rollout it was asked for, which outlives it', async () => {
    const rollout = createFakeRollout({ champion: null });
    const model = `prices-${randomUUID()}`;
    const value = await given(
      createFakeTraining(),
      { model, rollout: { strategy: 'blue-green' }, requestedBy: 'alice' },
      async (handle) => {
        const ended = await result(handle);
        const rolled = environment.env.client.workflow.getHandle(`rollout/${model}`);
        expect(await rolled.result()).toMatchObject({ outcome: 'promoted', version: 3 });
        return ended;
      },
      rollout,
    );
    expect(value).toMatchObject({ kind: 'accepted', rollout: `rollout/${model}` });
    expect(rollout.aliases['champion']).toBe(3);
  });

  it('says so when a rollout of the model is running already', async () => {
    const model = `prices-${randomUUID()}`;
    const rollout = createFakeRollout();
    const value = await given(
      createFakeTraining(),
      { model, rollout: true },
      async (handle, taskQueue) => {
        const running = await environment.env.client.workflow.start('rolloutModel', {
          workflowId: `rollout/${model}`,
          taskQueue,
          args: [{ model, version: 2 }],
        });
        const ended = await result(handle);
        await running.cancel();
        await running.result().catch(() => undefined);
        return ended;
      },
      rollout,
    );
    expect(value).toMatchObject({
      kind: 'accepted',
      rollout: null,
      notes: ['gradient-boosting was left out', `no rollout was started: rollout/${model} is running already`],
    });
  });
});

describe('a training that fails', () => {
  it.each([
    ['planTraining', 'There is no such model: model: "prices" is not known (allowed: houses)'],
    ['train', 'the process ran out of memory'],
    ['registerVersion', 'no space'],
  ])('at %s says why in its first line', async (name, message) => {
    const fake = createFakeTraining();
    fake.fail(name, () => broken(message));
    const cause = await given(fake, { model: 'prices' }, failureOf);
    expect(cause.message).toBe(message);
    expect(fake.settled).toEqual([]);
  });

  it('in the gates leaves the version rejected, not in validation', async () => {
    const fake = createFakeTraining();
    fake.fail('checkGates', () => broken('the artefact is corrupt'));
    const cause = await given(fake, { model: 'prices' }, failureOf);
    expect(cause.message).toBe('the artefact is corrupt');
    expect(fake.settled).toEqual(['rejected']);
  });

  it('on a wrong input ends at once and names every field', async () => {
    const fake = createFakeTraining();
    const cause = await given(fake, { modell: 'prices', algorithms: ['forest'] }, failureOf);
    expect(cause).toMatchObject({ type: 'invalidInput', nonRetryable: true });
    expect(cause.message).toContain('model: expected a text');
    expect(cause.message).toContain('(allowed: spline-logistic, gradient-boosting)');
    expect(cause.message).toContain('modell: is not a field here, did you mean model?');
    expect(fake.calls).toEqual([]);
  });

  it('on validation of a wrong version says what is allowed', async () => {
    const taskQueue = randomUUID();
    await withWorker(environment, taskQueue, createFakeTraining().activities, async () => {
      const start = { workflowId: taskQueue, taskQueue, args: [{ model: 'prices', version: 0 }] };
      const error = await environment.env.client.workflow.execute('validateModel', start).catch((e: unknown) => e);
      expect(((error as WorkflowFailedError).cause as ApplicationFailure).message).toContain(
        'version: expected a whole number',
      );
    });
  });
});
