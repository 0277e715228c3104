import { ScheduleAlreadyRunning, ScheduleOverlapPolicy, type ScheduleOptions } from '@temporalio/client';
import { join } from 'node:path';
import type { RestoreDeps } from '../activities/restore-activities.ts';
import type { TemporalClient } from '../adapters/temporal-client.ts';
import { DomainError } from '../domain/errors.ts';
import { readPidFile } from '../infra/processes/pid-file.ts';
import { stopProcess } from '../infra/processes/stop.ts';
import { WORKFLOWS } from '../workflows/messages.ts';
import { DRILL_SCHEDULE_ID, DRILL_WORKFLOW_ID, RESTORE_WORKFLOWS } from '../workflows/restore-messages.ts';

/** Fast shutdown: clients are cut off, data is written. */
const STOP = { signals: [{ signal: 'SIGINT', graceMs: 20_000 }] } as const;
/** Workflows listed and ended at most; more are not started by anybody. */
const WRITERS_MAX = 1_000;
const WEEK = '7d';
/** A missed drill is made up for within this time. */
const CATCH_UP = '1d';

/** The platform's database as its supervisor keeps it: ended here, it is started again at once. */
export function stopEmbeddedDatabase(home: string): RestoreDeps['stopDatabase'] {
  return async () => {
    const record = readPidFile(join(home, 'run'), 'postgres');
    if (record === null) {
      throw new DomainError(
        'refused',
        'The database of this platform is not embedded: it cannot be replaced from here',
        [{ field: 'DATABASE_URL', message: 'restore with `sluice restore` into an empty SLUICE_HOME' }],
      );
    }
    await stopProcess(record.pid, record.identity, STOP);
  };
}

/** Ends every workflow that writes to the registry. */
export function terminateWriters(temporal: TemporalClient): RestoreDeps['terminateWriters'] {
  const types = [WORKFLOWS.rollout, WORKFLOWS.rolloutGroup, WORKFLOWS.train, WORKFLOWS.validate];
  const query = `ExecutionStatus = 'Running' AND WorkflowType IN (${types.map((t) => `'${t}'`).join(', ')})`;
  return (keep, reason) =>
    temporal.call(async (client) => {
      const ended: string[] = [];
      for await (const { workflowId, runId } of client.workflow.list({ query })) {
        if (workflowId === keep || ended.length >= WRITERS_MAX) continue;
        await client.workflow
          .getHandle(workflowId, runId)
          .terminate(reason)
          .catch(() => undefined);
        ended.push(workflowId);
      }
      return ended;
    }, 60_000);
}

/** A drill every week, unless somebody has made the schedule another one. */
export async function ensureDrillSchedule(temporal: TemporalClient, taskQueue: string): Promise<void> {
  const options: ScheduleOptions = {
    scheduleId: DRILL_SCHEDULE_ID,
    spec: { intervals: [{ every: WEEK }], jitter: '1h' },
    policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: CATCH_UP },
    action: {
      type: 'startWorkflow',
      workflowType: RESTORE_WORKFLOWS.drill,
      workflowId: DRILL_WORKFLOW_ID,
      taskQueue,
      args: [{}],
    },
  };
  await temporal
    .call((client) => client.schedule.create(options))
    .catch((error: unknown) => {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    });
}
