import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { rolloutWorkflowId } from '../../../workflows/messages.ts';
import { temporalProgram } from '../../setup/temporal-binaries.ts';
import { broken, createFakeRollout, PLAN } from '../../workflow/fake-rollout.ts';
import { createFakeTraining } from '../../workflow/fake-training.ts';
import { startPlatform, type Platform } from '../workflows/platform-worker.ts';

/** What an operator does with Temporal's own tools; the activities are stand-ins, the workflows are the platform's. */
let platform: Platform;
let program: string;
let stop: () => Promise<void>;
const fake = createFakeRollout({ plan: { ...PLAN, observeEveryMs: 200 } });
const training = createFakeTraining();
const model = `cli-${randomUUID().slice(0, 8)}`;

beforeAll(async () => {
  platform = await startPlatform();
  program = await temporalProgram();
  const worker = await platform.startWorker({}, { ...fake.activities, ...training.activities });
  stop = worker.stop;
});
afterAll(async () => {
  await stop();
  await platform.close();
});

const run = promisify(execFile);

async function temporal(...args: string[]): Promise<string> {
  const { stdout } = await run(program, [...args, '--address', platform.address, '--namespace', 'default']);
  return stdout;
}

/** The command's outcome whether it says yes or no. */
async function attempt(...args: string[]): Promise<string> {
  return temporal(...args).catch((error: unknown) => {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return stdout + stderr;
  });
}

const start = (type: string, id: string, input: object) =>
  temporal(
    ...['workflow', 'start', '--type', type, '--workflow-id', id],
    ...['--task-queue', platform.taskQueue, '--input', JSON.stringify(input)],
  );

async function ended(id: string): Promise<{ status: string; text: string }> {
  return vi.waitFor(
    async () => {
      const status = (await platform.client.workflow.getHandle(id).describe()).status.name;
      expect(status).not.toBe('RUNNING');
      return { status, text: await attempt('workflow', 'result', '--workflow-id', id) };
    },
    { timeout: 20_000, interval: 200 },
  );
}

const count = async (query: string): Promise<number> => {
  const found = platform.client.workflow.list({ query });
  let n = 0;
  for await (const execution of found) if (execution.taskQueue === platform.taskQueue) n += 1;
  return n;
};

describe('with the temporal command', () => {
  it('a small JSON starts a rollout, which its search attributes find', async () => {
    const id = rolloutWorkflowId(model);
    await start('rolloutModel', id, { model, version: 2, strategy: 'canary' });
    await vi.waitFor(
      async () => {
        const where = `SluiceModel="${model}" and SluiceVersion=2 and SluiceStrategy="canary" and SluicePhase="running"`;
        expect(await count(where)).toBe(1);
      },
      { timeout: 20_000, interval: 200 },
    );
    const description = await temporal('workflow', 'metadata', '--workflow-id', id);
    expect(description).toContain('Waits for');
    expect(description).toContain('Gives the candidate all traffic now');
    expect(description).toContain('"reason":"why"');
  });

  it('an update steers it, with an argument or without', async () => {
    const id = rolloutWorkflowId(model);
    const update = (name: string, ...more: string[]) =>
      attempt('workflow', 'update', 'execute', '--name', name, '--workflow-id', id, ...more);
    expect(await update('pause')).toContain('paused');
    expect(await update('pause')).toContain('the rollout is paused already');
    expect(await update('resume', '--input', '{"bye":"me"}')).toContain('did you mean by?');
    const late = await update('promote', '--input', '{"expiresAt":"2020-01-01T00:00:00Z"}');
    expect(late).toContain('expired at 2020-01-01');
    expect(await temporal('workflow', 'query', '--type', 'status', '--workflow-id', id)).toContain('a person: resume');
    expect(await update('abort', '--input', '{"by":"carol","reason":"enough"}')).toContain('aborted');
    const { status, text } = await ended(id);
    expect(status).toBe('COMPLETED');
    expect(text).toContain('abort by carol: enough');
    await vi.waitFor(async () => expect(await count(`SluiceModel="${model}" and SluicePhase="aborted"`)).toBe(1), {
      timeout: 20_000,
      interval: 200,
    });
  });

  it.each([
    ['rolloutModel', { model, version: 'two' }, 'version: expected a whole number, found the text "two"'],
    [
      'rolloutModel',
      { model, version: 2, strategy: 'slow' },
      'allowed: canary, blue-green, launch-ramp, shadow, ab, all-at-once',
    ],
    ['trainModel', { modle: model }, 'modle: is not a field here, did you mean model?'],
    ['trainModel', { model, algorithms: ['forest'] }, 'allowed: spline-logistic, gradient-boosting'],
    ['validateModel', { model }, 'version: expected a whole number, found nothing'],
  ])('a wrong input of %s ends at once as failed: %j', async (type, input, sentence) => {
    const id = `wrong/${randomUUID()}`;
    await start(type, id, input);
    const { status, text } = await ended(id);
    expect(status).toBe('FAILED');
    expect(text).toContain(sentence);
  });

  it('a start without any input says what one looks like', async () => {
    const id = `wrong/${randomUUID()}`;
    await temporal(
      ...['workflow', 'start', '--type', 'trainModel', '--workflow-id', id, '--task-queue', platform.taskQueue],
    );
    expect(await ended(id)).toMatchObject({ status: 'FAILED', text: expect.stringContaining('{"model":"NAME"}') });
  });

  it('a small JSON trains', async () => {
    const id = `train/${model}`;
    await start('trainModel', id, { model });
    expect(await ended(id)).toMatchObject({ status: 'COMPLETED', text: expect.stringContaining('accepted') });
    expect(await temporal('workflow', 'metadata', '--workflow-id', id)).toContain('version 3 is accepted');
  });

  it('a failure of a step is its first line', async () => {
    training.fail('planTraining', () => broken('There is no such model: model: "x" is not known (allowed: y)'));
    const id = `train/${randomUUID()}`;
    await start('trainModel', id, { model: 'x' });
    expect(await ended(id)).toMatchObject({ status: 'FAILED', text: expect.stringContaining('(allowed: y)') });
  });
});
