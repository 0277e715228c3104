import { randomUUID } from 'node:crypto';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkflowFailedError } from '@temporalio/client';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  rolloutWorkflowId,
  trainWorkflowId,
  type RolloutCommandResult,
  type RolloutModelResult,
  type TrainModelInput,
  type TrainModelResult,
} from '../../../workflows/messages.ts';
import { parcelsCsv, parcelsYaml, startPlatform, type Platform } from './platform-worker.ts';

const TRAINING_MS = 90_000;
const WAIT = { timeout: 20_000, interval: 50 };
const model = `parcels-${randomUUID().slice(0, 8)}`;
let platform: Platform;
let worker: Awaited<ReturnType<Platform['startWorker']>>;

beforeAll(async () => {
  platform = await startPlatform();
  worker = await platform.startWorker();
  await platform.apply(parcelsYaml(model), parcelsCsv(900));
});
afterAll(async () => {
  await worker.stop();
  await platform.close();
});

const start = (input: TrainModelInput) =>
  platform.client.workflow.start('trainModel', {
    workflowId: trainWorkflowId(input.model),
    taskQueue: platform.taskQueue,
    args: [input],
  });

async function train(input: Partial<TrainModelInput> = {}): Promise<TrainModelResult> {
  const handle = await start({ model, algorithms: ['spline-logistic'], requestedBy: 'test', ...input });
  return (await handle.result()) as TrainModelResult;
}

const plan = { minRequests: 0, advance: 'noHarm' as const, observeEveryMs: 200, keepWarmMs: 500 };
const quickSteps = [
  { weightPercent: 10, bakeTimeMs: 300 },
  { weightPercent: 100, bakeTimeMs: 0 },
];

const startRollout = (input: object) =>
  platform.client.workflow.start('rolloutModel', {
    workflowId: rolloutWorkflowId(model),
    taskQueue: platform.taskQueue,
    args: [{ model, ...input }],
  });

/** No traffic never promotes: a few requests, split as the first step of 10 % says. */
async function answerRequests(version: number, champion: number): Promise<void> {
  const { id } = await vi.waitFor(async () => {
    const open = await platform.registry.rollouts.findOpen(model);
    const table = await platform.registry.routing.find(model);
    expect(open).not.toBeNull();
    expect(table?.rolloutId).toBe(open?.id);
    return open!;
  }, WAIT);
  const arms = [
    ['candidate', version, 1],
    ['baseline', champion, 1],
    ['champion', champion, 8],
  ] as const;
  const none = { errors: 0, slow: 0, latencySumMs: 10 };
  const instance = randomUUID();
  await platform.registry.records.saveCounts(
    arms.map(([variant, answeredBy, requests], sequence) => {
      const row = { instance, sequence, model, rolloutId: id, variant, version: answeredBy, requests, ...none };
      return { ...row, windowStartMs: Date.now() };
    }),
  );
}

/** What a person does with a version that had to go, before it may be rolled out again. */
const release = (version: number) => platform.registry.versions.settle(model, version, 'accepted');

describe('on real Postgres and Temporal', () => {
  it(
    'trains, passes the gates, registers with lineage, and rolls the first version out',
    async () => {
      const trained = await train({ rollout: true });
      expect(trained).toMatchObject({ kind: 'accepted', model, version: 1, rollout: rolloutWorkflowId(model) });
      const rollout = platform.client.workflow.getHandle(rolloutWorkflowId(model));
      expect(await rollout.result()).toMatchObject({ outcome: 'promoted', reason: 'first version of the model' });

      const version = await platform.registry.versions.find(model, 1);
      expect(version).toMatchObject({ status: 'accepted', algorithm: 'spline-logistic' });
      expect(version?.lineage).toMatchObject({ codeCommit: 'test', seed: expect.any(Number), dataRows: 900 });
      for (const digest of [
        version!.artefactDigest,
        version!.manifestDigest,
        version!.lineage.dataDigest,
        version!.lineage.definitionDigest,
      ]) {
        expect(await platform.deps.artefacts.has(digest)).toBe(true);
      }
      const gates = await platform.registry.versions.latestGates(model, 1);
      expect(gates).toMatchObject({ passed: true });
      expect(gates?.results.map((g) => g.gate)).toEqual(expect.arrayContaining(['champion', 'latency', 'throughput']));
      expect(await platform.registry.routing.find(model)).toMatchObject({
        generation: 1,
        rolloutId: null,
        routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
      });
      expect(await platform.registry.versions.aliases(model)).toEqual({ champion: 1 });
      expect(await readdir(join(platform.home, 'work'))).toEqual([]);
    },
    TRAINING_MS,
  );

  it(
    'gives the same artefact for the same data and seed, and compares it with the champion',
    async () => {
      const again = await train();
      expect(again).toMatchObject({ kind: 'accepted', version: 2, rollout: null });
      const [first, second] = [
        await platform.registry.versions.find(model, 1),
        await platform.registry.versions.find(model, 2),
      ];
      expect(second?.artefactDigest).toBe(first?.artefactDigest);
      expect(second?.manifestDigest).toBe(first?.manifestDigest);
      const gates = await platform.registry.versions.latestGates(model, 2);
      expect(gates?.results.find((g) => g.gate === 'champion')?.evidence).toMatchObject({ worseBy: 0 });
    },
    TRAINING_MS,
  );

  it('rolls a second version out as a canary and moves the aliases', async () => {
    const handle = await startRollout({ version: 2, plan: { ...plan, steps: quickSteps }, requestedBy: 'alice' });
    await answerRequests(2, 1);
    expect((await handle.result()) as RolloutModelResult).toMatchObject({ outcome: 'promoted', version: 2 });
    expect(await platform.registry.versions.aliases(model)).toEqual({ champion: 2, previous: 1 });
    expect(await platform.registry.routing.find(model)).toMatchObject({
      generation: 4,
      routes: [{ variant: 'champion', version: 2, weightPercent: 100 }],
    });
    const [row] = await platform.registry.rollouts.list({ model, limit: 1 });
    expect(row).toMatchObject({ phase: 'promoted', candidate: 2, champion: 1, startedBy: 'alice' });
    expect(row?.finishedAt).not.toBeNull();
  });

  it('rolls back by itself when the counters show errors', async () => {
    const handle = await startRollout({
      version: 1,
      strategy: 'blue-green',
      plan: { ...plan, steps: [{ weightPercent: 10, bakeTimeMs: 600_000 }, quickSteps[1]!], minRequests: 1_000_000 },
    });
    const rollout = await vi.waitFor(async () => {
      const open = await platform.registry.rollouts.findOpen(model);
      const table = await platform.registry.routing.find(model);
      expect(table?.rolloutId).toBe(open?.id);
      return open!;
    }, WAIT);
    // The warm-up takes the errors of the first window; three others must have some.
    for (let window = 0; window < 4; window++) {
      const windowStartMs = Date.now() + window * 10_000;
      const row = { model, rolloutId: rollout.id, windowStartMs, slow: 0, latencySumMs: 800 };
      const instance = randomUUID();
      await platform.registry.records.saveCounts([
        { ...row, instance, sequence: 0, variant: 'candidate', version: 1, requests: 400, errors: 40 },
        { ...row, instance, sequence: 1, variant: 'champion', version: 2, requests: 3_600, errors: 0 },
      ]);
    }
    const ended = (await handle.result()) as RolloutModelResult;
    expect(ended).toMatchObject({ outcome: 'rolledBack' });
    expect(ended.reason).toMatch(/requests failed \(limit/);
    expect((await platform.registry.routing.find(model))?.routes).toEqual([
      { variant: 'champion', version: 2, weightPercent: 100 },
    ]);
    expect(await platform.registry.versions.aliases(model)).toEqual({ champion: 2, previous: 1 });
    expect(await platform.registry.versions.find(model, 1)).toMatchObject({ status: 'quarantined' });
    const again = await startRollout({ version: 1, plan });
    const refused = (await again.result().catch((e: unknown) => e)) as WorkflowFailedError;
    expect(refused.cause?.message).toContain('it is quarantined');
    await release(1);
  });

  it('takes orders, and goes on where it was when the worker is replaced', async () => {
    const steps = [
      { weightPercent: 10, bakeTimeMs: 600_000 },
      { weightPercent: 100, bakeTimeMs: 0 },
    ];
    const handle = await startRollout({ version: 1, plan: { ...plan, steps } });
    const paused = await handle.executeUpdate<RolloutCommandResult, []>('pause');
    expect(paused.status).toMatchObject({ phase: 'paused', weightPercent: 10 });
    await worker.stop();
    worker = await platform.startWorker();
    const aborted = await handle.executeUpdate<RolloutCommandResult, [object]>('abort', { args: [{ by: 'bob' }] });
    expect(aborted.status).toMatchObject({ phase: 'aborted', reason: 'abort by bob' });
    expect(await handle.result()).toMatchObject({ outcome: 'aborted' });
    await release(1);
  });

  it.each([
    [{ version: 99 }, 'notFound', 'has no version 99 (allowed: 2, 1)'],
    [{ version: 2 }, 'refused', 'is the champion and answers every request already'],
    [{ version: 1, plan: { steps: [{ weightPercent: 50, bakeTimeMs: 0 }] } }, 'invalidInput', 'the last step is not'],
    [{ version: 1, model: 'nobody' }, 'notFound', `"nobody" is not known (allowed: ${model})`],
  ])('refuses %j at once', async (input, type, sentence) => {
    const handle = await startRollout(input);
    const error = (await handle.result().catch((e: unknown) => e)) as WorkflowFailedError;
    expect(error.cause).toMatchObject({ type });
    expect(error.cause?.message).toContain(sentence);
  });

  it('takes over from a rollout whose workflow was terminated', async () => {
    const handle = await startRollout({ version: 1, plan });
    await vi.waitFor(async () => expect(await platform.registry.rollouts.findOpen(model)).not.toBeNull(), WAIT);
    await handle.terminate('test');
    const next = await startRollout({ version: 1, plan: { ...plan, steps: quickSteps } });
    await vi.waitFor(async () => {
      expect(await platform.registry.rollouts.findOpen(model)).toMatchObject({ runId: next.firstExecutionRunId });
    }, WAIT);
    await answerRequests(1, 2);
    expect(await next.result()).toMatchObject({ outcome: 'promoted' });
    const rows = await platform.registry.rollouts.list({ model, limit: 2 });
    expect(rows.map((r) => [r.phase, r.reason])).toEqual([
      ['promoted', expect.any(String)],
      ['aborted', 'its workflow ended without closing it'],
    ]);
  });

  it(
    'ends with the report when the data cannot be trained on',
    async () => {
      const other = `broken-${randomUUID().slice(0, 8)}`;
      await platform.apply(parcelsYaml(other), parcelsCsv(900));
      await writeFile(join(platform.home, 'data.csv'), parcelsCsv(900).replaceAll(',late', ',on time'));
      const ended = await train({ model: other });
      expect(ended.kind).toBe('dataInvalid');
      expect(await platform.registry.versions.list(other, 1)).toEqual([]);
    },
    TRAINING_MS,
  );

  it('says which file is not there', async () => {
    const other = `gone-${randomUUID().slice(0, 8)}`;
    const definition = await platform.apply(parcelsYaml(other), parcelsCsv(10));
    const gone = { ...definition, data: { ...definition.data, source: join(platform.home, 'gone.csv') } };
    await platform.registry.models.apply(gone, 'e'.repeat(64), 'test');
    const error = (await train({ model: other }).catch((e: unknown) => e)) as WorkflowFailedError;
    expect(error.cause?.message).toContain('data.source: there is no file');
  });
});
