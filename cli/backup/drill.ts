import { startDrill } from '../../api/temporal-backups.ts';
import type { RecoveryDrillResult } from '../../workflows/restore-messages.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { withTemporalHere, workflowFailed } from '../temporal-here.ts';
import { formatDuration } from '../terminal/format.ts';
import type { BackupOptions } from './options.ts';

/** Has the platform restore its newest state into a throw-away server, waits, and says what came of it. */
export async function drill(session: Session, { target }: BackupOptions): Promise<ExitCode> {
  return withTemporalHere(workflowFailed('drill'), async ({ temporal, config }) => {
    const run = await temporal.call((client) => startDrill(client, config.taskQueue, { target: target ?? null }));
    if (!session.json) session.terminal.note('Restoring beside what is in use, and checking...');
    return report(session, await run.result());
  });
}

function report(session: Session, result: RecoveryDrillResult): ExitCode {
  const loss = result.lossMs === null ? '' : `, ${formatDuration(result.lossMs)} would have been lost`;
  session.answer(result, [
    session.terminal.style.green(`Restored ${result.setId ?? ''} in ${formatDuration(result.restoreMs)}${loss}`),
  ]);
  return EXIT.ok;
}
