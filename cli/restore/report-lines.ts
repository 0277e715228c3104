import type { RestoreProgress } from '../../recovery/restore/restore-and-check.ts';
import type { RestoreReport } from '../../recovery/restore/restore-platform.ts';

export const STAGE_TEXTS: Readonly<Record<RestoreProgress['stage'], string>> = {
  plan: 'reading the target',
  log: 'fetching the log',
  unpack: 'unpacking the database',
  recover: 'replaying the log',
  artefacts: 'fetching artefacts',
  check: 'checking rows, artefacts and golden predictions',
  settle: 'beginning a new epoch',
  done: 'done',
};

/** What came back, for a person. */
export function reportLines(report: RestoreReport): readonly string[] {
  const { checks, epoch, reachedLsn, shippedLsn, cutOffBytes } = report;
  const rows = Object.values(checks.rows).reduce((sum, n) => sum + n, 0);
  return [
    `Restored in ${(report.tookMs / 1000).toFixed(1)} s: ${String(rows)} rows in ${String(checks.tables)} tables, ${String(checks.artefacts)} artefacts`,
    report.setKind === 'logical'
      ? `Log         none: restored to ${report.newestShippedAt}, the moment of the logical copy`
      : `Log         replayed to ${reachedLsn} of ${shippedLsn} shipped${cutOffBytes === 0 ? '' : `; the last ${String(cutOffBytes)} bytes hold no whole record`}`,
    `Models      ${checks.golden.map((g) => `${g.model} version ${String(g.version)}: ${String(g.rows)} golden rows as before`).join('; ') || 'none in production'}`,
    `Epoch       ${String(epoch.epoch)}`,
    ...epoch.rollouts.map((rollout) => `Rollout     ${rollout.model}: ${rollout.reason}`),
  ];
}
