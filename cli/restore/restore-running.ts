import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import type { Client, WorkflowHandle } from '@temporalio/client';
import { basename } from 'node:path';
import { lastHeartbeat } from '../../api/temporal-heartbeat.ts';
import type { TemporalClient } from '../../adapters/temporal-client.ts';
import type { RestoreProgress } from '../../recovery/restore/restore-and-check.ts';
import {
  RESTORE_CONFIRMATION,
  RESTORE_WORKFLOW_ID,
  RESTORE_WORKFLOWS,
  type RestorePlatformInput,
  type RestorePlatformResult,
  type RestoreStatus,
} from '../../workflows/restore-messages.ts';
import { CliError, EXIT, UsageError, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { withTemporalHere } from '../temporal-here.ts';
import { watch } from '../wait.ts';
import { requireTyped, type RestoreCommandOptions } from './options.ts';
import { reportLines, STAGE_TEXTS } from './report-lines.ts';

const POLL_MS = 500;
/** The workflow is described and asked; a worker that restores may be slow to answer. */
const LOOK_TIMEOUT_MS = 10_000;

type Restoring = (input: RestorePlatformInput) => Promise<RestorePlatformResult>;

/** Lets the platform that runs on this home restore itself, and shows how far it is until it ends. */
export async function restoreRunning(
  session: Session,
  options: RestoreCommandOptions,
  home: string,
): Promise<ExitCode> {
  for (const field of ['identity', 'signer'] as const) {
    if (options[field] === undefined) continue;
    throw new UsageError(`--${field} is for a home on which nothing runs`, [
      { field: `--${field}`, message: 'the running platform opens its targets with its own keys' },
    ]);
  }
  requireTyped(basename(home), options.confirm, `A platform runs on ${home}, and its database would be replaced`);
  return withTemporalHere(failed, async ({ temporal, config }) => {
    const input = { to: options.to, target: options.target ?? null, confirm: RESTORE_CONFIRMATION, requestedBy: 'cli' };
    const handle = await temporal.call((client) => start(client, config.taskQueue, input));
    await follow(session, temporal, handle);
    const { report, reconciled } = await handle.result();
    session.answer({ ...report, reconciled }, [
      ...reportLines(report),
      ...reconciled.terminated.map((id) => `Ended       ${id}, which worked for the epoch before`),
      ...reconciled.schedules.map((id) => `Schedule    ${id} was made again`),
      ...reconciled.notes.map((note) => `Note        ${note}`),
      'Next: sluice backup now',
    ]);
    return EXIT.ok;
  });
}

async function start(
  client: Client,
  taskQueue: string,
  input: RestorePlatformInput,
): Promise<WorkflowHandle<Restoring>> {
  try {
    return await client.workflow.start<Restoring>(RESTORE_WORKFLOWS.restore, {
      workflowId: RESTORE_WORKFLOW_ID,
      taskQueue,
      args: [input],
    });
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    throw new CliError(EXIT.refused, 'conflict', 'The platform is being restored already');
  }
}

/** A line for each stage that begins; ends when the workflow does. */
async function follow(session: Session, temporal: TemporalClient, handle: WorkflowHandle<Restoring>): Promise<void> {
  let shown = '';
  const show = (line: string): void => {
    if (line === shown || session.json) return;
    shown = line;
    session.terminal.note(`  ${line}`);
  };
  await watch({
    read: () => look(temporal, handle),
    show: ({ over, line }) => {
      if (line !== null) show(line);
      return over;
    },
    intervalMs: POLL_MS,
    terminal: session.terminal,
    onInterrupt: `The restore goes on as the workflow ${RESTORE_WORKFLOW_ID}`,
  });
}

async function look(temporal: TemporalClient, handle: WorkflowHandle<Restoring>) {
  return temporal.call(async () => {
    const run = await handle.describe();
    if (run.closeTime !== undefined) return { over: true, line: null };
    const stage = lastHeartbeat<RestoreProgress>(run)?.stage;
    if (stage !== undefined) return { over: false, line: STAGE_TEXTS[stage] };
    const status = await handle.query<RestoreStatus>('status').catch(() => null);
    return { over: false, line: status?.message ?? null };
  }, LOOK_TIMEOUT_MS);
}

function failed(cause: Error | undefined): CliError {
  const message = cause?.message ?? 'The restore failed';
  const code = (cause as { type?: string | null } | undefined)?.type ?? 'failed';
  const refused = ['refused', 'fenced', 'notFound', 'invalidInput', 'conflict'].includes(code);
  const hint = 'The platform goes on as it was';
  return new CliError(refused ? EXIT.refused : EXIT.failed, code, message, { hint });
}
