import { startBackup } from '../../api/temporal-backups.ts';
import { BACKUP_WORKFLOW_ID, type BackupPlatformResult } from '../../workflows/messages.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { withTemporalHere, workflowFailed } from '../temporal-here.ts';
import type { BackupOptions } from './options.ts';

/** Starts a backup on this machine's platform (or the one of TEMPORAL_ADDRESS), and waits for it. */
export async function backUpNow(session: Session, options: BackupOptions): Promise<ExitCode> {
  const label = options.label === undefined ? {} : { label: options.label };
  const input = { requestedBy: 'cli', ...label };
  return withTemporalHere(workflowFailed('backup'), async ({ temporal, config }) => {
    const handle = await temporal.call((client) => startBackup(client, config.taskQueue, input));
    if (options.wait === false) {
      const started = { workflow_id: BACKUP_WORKFLOW_ID, run_id: handle.firstExecutionRunId };
      session.answer(started, [`The backup runs as the workflow ${BACKUP_WORKFLOW_ID}`]);
      return EXIT.ok;
    }
    if (!session.json) session.terminal.note('Copying, sending and reading back...');
    return report(session, await handle.result());
  });
}

function report(session: Session, result: BackupPlatformResult): ExitCode {
  const { style } = session.terminal;
  session.answer(result, [
    `${result.setId}, ${(result.storedBytes / 1e6).toFixed(1)} MB`,
    ...(result.setKind === 'logical'
      ? [
          style.yellow(
            '  logical copy: it restores to its own moment only, as the database allows this user no replication',
          ),
        ]
      : []),
    ...result.targets.map(({ target, verified, problem, artefacts }) => {
      const detail = problem === null ? '' : ` (${problem})`;
      return verified
        ? style.green(`  ${target}: verified, ${artefacts} artefacts${detail}`)
        : style.red(`  ${target}: no verified set${detail}`);
    }),
  ]);
  return result.targets.every((target) => target.verified) ? EXIT.ok : EXIT.failed;
}
