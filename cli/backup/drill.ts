import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { DRILL_WORKFLOW_ID, RESTORE_WORKFLOWS } from '../../workflows/restore-messages.ts';
import type { RecoveryDrillInput, RecoveryDrillResult } from '../../workflows/restore-messages.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { connectTemporalHere } from '../temporal-here.ts';
import { formatDuration } from '../terminal/format.ts';
import type { BackupOptions } from './options.ts';

/** Has the platform restore its newest state into a throw-away server, waits, and says what came of it. */
export async function drill(session: Session, { target }: BackupOptions): Promise<ExitCode> {
  const { temporal, config } = await connectTemporalHere();
  try {
    const run = await temporal.call((client) =>
      client.workflow.start<(input: RecoveryDrillInput) => Promise<RecoveryDrillResult>>(RESTORE_WORKFLOWS.drill, {
        workflowId: DRILL_WORKFLOW_ID,
        taskQueue: config.taskQueue,
        args: [{ target: target ?? null }],
      }),
    );
    if (!session.json) session.terminal.note('Restoring beside what is in use, and checking...');
    return report(session, await run.result());
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError)
      throw new CliError(EXIT.refused, 'conflict', `A drill is running (${DRILL_WORKFLOW_ID}); one at a time`);
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    throw new CliError(EXIT.failed, 'failed', cause instanceof Error ? cause.message : 'The drill failed');
  } finally {
    await temporal.close();
  }
}

function report(session: Session, result: RecoveryDrillResult): ExitCode {
  const loss = result.lossMs === null ? '' : `, ${formatDuration(result.lossMs)} would have been lost`;
  session.answer(result, [
    session.terminal.style.green(`Restored ${result.setId ?? ''} in ${formatDuration(result.restoreMs)}${loss}`),
  ]);
  return EXIT.ok;
}
