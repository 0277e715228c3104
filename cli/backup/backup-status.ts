import { logMissing } from '../../domain/recovery/log-state.ts';
import { readBackupStatus, type BackupStatus, type TargetStatus } from '../../recovery/catalogue/backup-status.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { formatDuration } from '../terminal/format.ts';
import { openTargets } from './open-targets.ts';

/** Each target against the objectives; refused when one is missed, or when the log is not shipped and nobody asked for that. */
export async function status(session: Session): Promise<ExitCode> {
  const { vaults, config } = await openTargets({});
  const found = await readBackupStatus(vaults, config.home, Date.now());
  const { style } = session.terminal;
  const lines = found.targets.flatMap((state) => {
    const { target, address, problem, met } = state;
    const title = `${target} (${address}): ${problem ?? setsText(state)}`;
    return [
      met ? style.green(title) : style.red(title),
      ...(state.newestKind === 'logical' ? ['  kind        logical copies: each restores to its own moment only'] : []),
      ...state.restorable.map((window) => `  restorable  ${window}`),
      `  log         ${state.walLagSeconds === null ? 'not shipped between sets' : `${formatDuration(state.walLagSeconds * 1000)} behind`}`,
    ];
  });
  const missing = logMissing(found.log);
  const alarm = missing === null ? [] : [style.red(`log: ${missing}`)];
  session.answer(found, [...lines, ...alarm, drillText(found)]);
  return missing === null && found.targets.every((state) => state.met) ? EXIT.ok : EXIT.refused;
}

function setsText({ sets, ageMs, newestVerified }: TargetStatus): string {
  if (ageMs === null) return `${String(sets)} sets, no verified set`;
  return `${String(sets)} sets, newest verified set ${formatDuration(ageMs)} old (${newestVerified ?? ''})`;
}

function drillText({ drill }: BackupStatus): string {
  if (drill === null) return 'drill: none yet';
  const age = formatDuration(Date.now() - drill.finishedAtMs);
  if (!drill.passed) return `drill: FAILED ${age} ago`;
  const took = drill.restoreMs === null ? '' : `, restored in ${formatDuration(drill.restoreMs)}`;
  const loss = drill.lossMs === null ? '' : `, ${formatDuration(drill.lossMs)} would have been lost`;
  return `drill: passed ${age} ago${took}${loss}`;
}
