/**
 * Records one history per story below into test/fixtures/histories: `npx tsx test/replay/record.ts [story ...]`.
 * Old recordings stay: they are the runs that a changed workflow must still be able to go on with. Record anew only
 * under a new name, or when a workflow was changed on purpose behind `patched`.
 */
import { mkdir } from 'node:fs/promises';
import { Client, type WorkflowHandle } from '@temporalio/client';
import { createTestWorker, startEnvironment, type WorkflowEnvironment } from '../workflow/environment.ts';
import { createFakeFailover } from '../workflow/fake-failover.ts';
import { createFakeRollout, PLAN, type FakeOptions } from '../workflow/fake-rollout.ts';
import { createFakeTraining } from '../workflow/fake-training.ts';
import type { RolloutSnapshot } from '../../domain/rollout/state.ts';
import { trainingTaskQueue } from '../../workflows/messages.ts';
import { HISTORIES, writeHistory } from './history-files.ts';

const IDENTITY = 'recorder';
const QUEUE = 'recorded';
const MINUTE_MS = 60_000;
const plan = { ...PLAN, observeEveryMs: 5 * MINUTE_MS, keepWarmMs: 15 * MINUTE_MS };
const blueGreen = [0, 10, 50, 100].map((weightPercent) => ({ weightPercent, bakeTimeMs: 10 * MINUTE_MS }));

const undecided = [
  { weightPercent: 50, bakeTimeMs: 10 * MINUTE_MS, maxWaitMs: 30 * MINUTE_MS, onMaxWait: 'rollback' as const },
  { weightPercent: 100, bakeTimeMs: 0 },
];
const approved = [
  { weightPercent: 5, bakeTimeMs: 10 * MINUTE_MS },
  {
    weightPercent: 100,
    bakeTimeMs: 0,
    approvals: [{ role: 'security' as const, persons: 1 as const, expiresAfterMs: 60 * MINUTE_MS }],
  },
];

interface Story {
  readonly type: 'rolloutModel' | 'trainModel' | 'validateModel' | 'failoverRegion';
  readonly input: object;
  readonly fake?: FakeOptions;
  readonly passed?: boolean;
  /** After the start: minutes to wait, then the update to send (or `cancel`, or `approve` what is shown). */
  readonly acts?: readonly (readonly [minutes: number, act: string])[];
}

const rollout = { type: 'rolloutModel', input: { model: 'prices', version: 2 } } as const;
const STORIES: Readonly<Record<string, Story>> = {
  'canary-promoted': { ...rollout, fake: { plan } },
  'canary-rolled-back': { ...rollout, fake: { plan, verdict: (w) => (w === 25 ? 'rollback' : 'healthy') } },
  'canary-steered': {
    ...rollout,
    fake: { plan },
    acts: [
      [2, 'pause'],
      [60, 'resume'],
      [1, 'promote'],
      [1, 'rollback'],
    ],
  },
  'canary-cancelled': { ...rollout, fake: { plan }, acts: [[12, 'cancel']] },
  'blue-green-promoted': { ...rollout, fake: { plan: { ...plan, strategy: 'blue-green', steps: blueGreen } } },
  'launch-ramp-frozen': {
    ...rollout,
    fake: { plan: { ...plan, strategy: 'launch-ramp' }, verdict: () => 'healthy' },
    acts: [
      [2, 'freeze'],
      [60, 'resume'],
      [1, 'skipBake'],
    ],
  },
  'shadow-concluded': {
    ...rollout,
    fake: { plan: { ...plan, strategy: 'shadow', steps: blueGreen.slice(0, 1) }, verdict: () => 'healthy' },
  },
  'ab-undecided': {
    ...rollout,
    fake: { plan: { ...plan, strategy: 'ab', advance: 'healthy', steps: undecided } },
  },
  'canary-approved': { ...rollout, fake: { plan: { ...plan, steps: approved } }, acts: [[22, 'approve']] },
  'canary-told': { ...rollout, fake: { plan, listening: true, verdict: (w) => (w === 25 ? 'rollback' : 'healthy') } },
  'first-version': { ...rollout, fake: { plan, champion: null } },
  'train-accepted': { type: 'trainModel', input: { model: 'prices', rollout: true }, fake: { champion: null } },
  'train-rejected': { type: 'trainModel', input: { model: 'prices' }, passed: false },
  validated: { type: 'validateModel', input: { model: 'prices', version: 3 } },
  'failed-over': { type: 'failoverRegion', input: { confirm: 'west', reason: 'east is lost', requestedBy: 'watch' } },
};

async function record(environment: WorkflowEnvironment, name: string, story: Story): Promise<void> {
  const { env } = environment;
  const training = createFakeTraining({ passed: story.passed ?? true });
  const activities = {
    ...training.activities,
    ...createFakeRollout(story.fake).activities,
    ...createFakeFailover().activities,
  };
  const [worker, trainer] = await Promise.all(
    [QUEUE, trainingTaskQueue(QUEUE)].map((queue) =>
      createTestWorker(environment, queue, activities, { identity: IDENTITY }),
    ),
  );
  const client = new Client({ connection: env.connection, identity: IDENTITY });
  await worker!.runUntil(() =>
    trainer!.runUntil(async () => {
      const start = { workflowId: `recorded/${name}`, taskQueue: QUEUE, args: [story.input] };
      const handle = await client.workflow.start(story.type, start);
      for (const [minutes, act] of story.acts ?? []) {
        await env.sleep(minutes * MINUTE_MS);
        if (act === 'cancel') await handle.cancel();
        else if (act === 'approve') await approve(handle);
        else await handle.executeUpdate(act, { args: [{ by: 'recorder', reason: 'for the record' }] });
      }
      await env.client.workflow.result(handle.workflowId).catch(() => undefined);
      await writeHistory(name, await handle.fetchHistory());
    }),
  );
}

async function approve(handle: WorkflowHandle): Promise<void> {
  const { evidenceHash } = await handle.query<RolloutSnapshot>('status');
  await handle.executeUpdate('approve', { args: [{ by: 'recorder', role: 'security', evidenceHash }] });
}

const wanted = process.argv.slice(2);
await mkdir(HISTORIES, { recursive: true });
for (const [name, story] of Object.entries(STORIES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  // A server of its own per story: the same ids may be used again.
  const environment = await startEnvironment();
  await record(environment, name, story);
  await environment.env.teardown();
  console.log(`recorded ${name}`);
}
