import { randomUUID } from 'node:crypto';
import { type WorkflowFailedError } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { createBackupActivities, type BackupDeps } from '../../../activities/backup-activities.ts';
import { withFailures } from '../../../activities/failures.ts';
import { createRestoreActivities } from '../../../activities/restore-activities.ts';
import type { DrillActivities, RestoreActivities } from '../../../activities/restore-contract.ts';
import { connectTemporal, type TemporalClient } from '../../../adapters/temporal-client.ts';
import { createTemporalControlPlane } from '../../../api/temporal-control-plane.ts';
import { RESTORE_CONFIRMATION, RESTORE_WORKFLOWS } from '../../../workflows/restore-messages.ts';
import { rolloutWorkflowId, trainWorkflowId, WORKFLOWS } from '../../../workflows/messages.ts';
import { createTestApp } from '../../unit/api/support/test-app.ts';
import { parcelsCsv, parcelsYaml, startPlatform, type Platform } from '../workflows/platform-worker.ts';

const model = `parcels-${randomUUID().slice(0, 8)}`;
const WEST = { region: 'west', epoch: 4 };
const OWNER = 'Region west owns epoch 4, not region east';
const openTarget = vi.fn(() => Promise.reject(new Error('the target is not to be opened')));
const fence = vi.fn(() => Promise.reject(new Error('the platform is not to be fenced')));
let platform: Platform;
let temporal: TemporalClient;
let worker: Awaited<ReturnType<Platform['startWorker']>>;
let call: Awaited<ReturnType<typeof createTestApp>>['call'];

function restoreActivities(): object {
  const never = () => Promise.reject(new Error('not reached'));
  return withFailures<RestoreActivities & DrillActivities>(
    createRestoreActivities({
      home: platform.home,
      artefactDir: platform.home,
      recovery: { fence, epoch: never } as never,
      requireLease: platform.deps.requireLease,
      openTarget,
      stopDatabase: never,
      terminateWriters: never,
      recreateSchedules: never,
    }),
  );
}

/** What the workflow ended with, and the activities that it had done. */
async function outcomeOf(type: string, workflowId: string, input: object) {
  const options = { workflowId, taskQueue: platform.taskQueue, args: [input] };
  const handle = await platform.client.workflow.start(type, options);
  const cause = await handle.result().then(
    () => null,
    (error: unknown) => (error as WorkflowFailedError).cause as Error & { type?: string },
  );
  const { events } = await handle.fetchHistory();
  const done = (events ?? []).flatMap((e) => e.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
  return { code: cause?.type, message: cause?.message, done };
}

beforeAll(async () => {
  platform = await startPlatform();
  worker = await platform.startWorker({}, restoreActivities());
  temporal = connectTemporal({ temporalAddress: inject('TEMPORAL_ADDRESS'), temporalNamespace: 'default' });
  const control = createTemporalControlPlane({ temporal, taskQueue: platform.taskQueue, now: Date.now });
  const { deps, registry } = platform;
  ({ call } = await createTestApp({ registry, control, requireLease: deps.requireLease }));
  await platform.apply(parcelsYaml(model), parcelsCsv(100));
  await platform.region.join('east');
});
afterAll(async () => {
  await worker.stop();
  await temporal.close();
  await platform.close();
});

describe('control writes in a group of regions', () => {
  it('are answered 503 while nobody is known to hold the lease', async () => {
    const answer = await call('POST', `/models/${model}/train`);
    expect(answer).toMatchObject({ status: 503, json: { error: 'unavailable' } });
    expect(answer.headers.get('retry-after')).toBe('2');
    expect(answer.json.detail).toContain('Region east does not hold the lease now');
  });

  it('are refused where another region owns the epoch: it is named, and nothing is started', async () => {
    await platform.region.revoke(WEST);
    const writes = [
      [`/models/${model}/train`, {}],
      ['/rollouts', { model, version: 1 }],
      ['/stop-the-line', { active: true, reason: 'test' }],
      ['/models', {}],
    ] as const;
    for (const [path, body] of writes) {
      const { status, json } = await call('POST', path, { body });
      expect({ path, status, error: json.error }).toEqual({ path, status: 409, error: 'fenced' });
      expect(json.detail).toContain(OWNER);
      expect(json.detail).toContain('send control writes to region west');
      expect(json.problems).toEqual([expect.objectContaining({ field: 'region', allowed: ['west'] })]);
    }
    const training = await call('GET', `/models/${model}/train`);
    expect(training).toMatchObject({ status: 200, json: { status: 'none' } });
    const features = { contract: 'yearly', months: 3, charge: 50, paperless: true };
    expect((await call('POST', '/predict', { body: { model: 'leavers', features } })).status).toBe(200);
  });

  it('say the same when the database itself refuses them', async () => {
    const late = platform.registry.versions.settle(model, 1, 'accepted');
    await expect(late).rejects.toMatchObject({ code: 'fenced', message: expect.stringContaining('west owns epoch 4') });
  });

  it.each([
    [WORKFLOWS.train, trainWorkflowId(model), { model }, ['planTraining']],
    [WORKFLOWS.rollout, rolloutWorkflowId(model), { model, version: 1 }, ['openRollout']],
    [RESTORE_WORKFLOWS.restore, `restore/${model}`, { confirm: RESTORE_CONFIRMATION }, ['previewRestore']],
  ])('end %s at its first step, started past the API', async (type, id, input, done) => {
    const outcome = await outcomeOf(type, id, input);
    expect(outcome).toMatchObject({ code: 'fenced', message: expect.stringContaining(OWNER) });
    expect(outcome.done.slice(0, 1)).toEqual(done);
    expect(outcome.done).not.toContain('snapshotData');
    expect(openTarget).not.toHaveBeenCalled();
    expect(fence).not.toHaveBeenCalled();
  });

  it('let the nightly backup end well, and prune nothing', async () => {
    const opened = vi.fn(() => Promise.resolve(new Map()));
    const deps = { requireLease: platform.deps.requireLease, targets: opened } as unknown as BackupDeps;
    const activities = createBackupActivities(deps);
    const report = await new MockActivityEnvironment().run(() => activities.pruneBackups({ target: 'shared' }));
    expect(report).toEqual({ removedSets: [], notes: [expect.stringContaining(`nothing is removed: ${OWNER}`)] });
    expect(opened).not.toHaveBeenCalled();
  });

  it('are taken again with the lease', async () => {
    const { atMs } = await platform.region.now();
    await platform.region.grant({ region: 'east', epoch: 5 }, atMs + 60_000);
    expect((await call('POST', `/models/${model}/train`)).status).toBe(202);
    await platform.client.workflow.getHandle(trainWorkflowId(model)).terminate('by the test');
  });
});
