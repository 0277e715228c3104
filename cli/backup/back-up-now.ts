import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { WorkflowExecutionAlreadyStartedError, WorkflowFailedError } from '@temporalio/client';
import { z } from 'zod';
import { readConfig } from '../../adapters/config.ts';
import { connectTemporal } from '../../adapters/temporal-client.ts';
import {
  BACKUP_WORKFLOW_ID,
  WORKFLOWS,
  type BackupPlatformInput,
  type BackupPlatformResult,
} from '../../workflows/messages.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import type { BackupOptions } from './options.ts';

/** Starts a backup on this machine's platform (or the one of TEMPORAL_ADDRESS), and waits for it. */
export async function backUpNow(session: Session, options: BackupOptions): Promise<ExitCode> {
  const config = readConfig();
  const temporalAddress = config.temporalAddress ?? (await temporalAddressHere(config.home));
  if (temporalAddress === null) {
    throw new CliError(EXIT.unreachable, 'unreachable', 'No platform runs here', {
      hint: 'Start it with npm start, or name its Temporal with TEMPORAL_ADDRESS',
    });
  }
  const temporal = connectTemporal({ ...config, temporalAddress });
  try {
    const label = options.label === undefined ? {} : { label: options.label };
    const handle = await temporal
      .call((client) =>
        client.workflow.start<(input: BackupPlatformInput) => Promise<BackupPlatformResult>>(WORKFLOWS.backup, {
          workflowId: BACKUP_WORKFLOW_ID,
          taskQueue: config.taskQueue,
          args: [{ requestedBy: 'cli', ...label }],
        }),
      )
      .catch((error: unknown) => {
        if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
        throw new CliError(EXIT.refused, 'conflict', 'A backup runs already', { hint: 'sluice backup list' });
      });
    if (options.wait === false) {
      const started = { workflow_id: BACKUP_WORKFLOW_ID, run_id: handle.firstExecutionRunId };
      session.answer(started, [`The backup runs as the workflow ${BACKUP_WORKFLOW_ID}`]);
      return EXIT.ok;
    }
    if (!session.json) session.terminal.note('Copying, sending and reading back...');
    return report(session, await handle.result());
  } catch (error) {
    if (!(error instanceof WorkflowFailedError)) throw error;
    const { cause } = error;
    throw new CliError(EXIT.failed, 'failed', cause instanceof Error ? cause.message : 'The backup failed');
  } finally {
    await temporal.close();
  }
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

const stateFile = z.object({ temporal: z.object({ address: z.string() }) });

async function temporalAddressHere(home: string): Promise<string | null> {
  const text = await readFile(join(home, 'run', 'platform.json'), 'utf8').catch(() => 'null');
  const parsed = stateFile.safeParse(JSON.parse(text));
  return parsed.success ? parsed.data.temporal.address : null;
}
