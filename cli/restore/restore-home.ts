import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readConfig } from '../../adapters/config.ts';
import { postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import { lockHome } from '../../infra/platform/home-lock.ts';
import { parseWish } from '../../recovery/restore/parse-wish.ts';
import { previewRestore, type RestorePreview, type RestoreProgress } from '../../recovery/restore/restore-and-check.ts';
import { placeRestored, stageRestore, type RestoreReport } from '../../recovery/restore/restore-platform.ts';
import type { VaultTarget } from '../../recovery/vault/vault-target.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { openTarget } from './open-target.ts';
import { requireTyped, type RestoreCommandOptions } from './options.ts';

/** Restores into the home of this machine while nothing runs on it; a running platform is asked to restore itself. */
export async function restoreHome(session: Session, options: RestoreCommandOptions): Promise<ExitCode> {
  const wish = parseWish(options.to);
  const config = readConfig();
  const { home } = config;
  const target = await openTarget(options, home, process.env);
  try {
    const preview = await previewRestore({ target, wish });
    if (options.preview === true) {
      session.answer(previewDocument(preview, target), previewLines(preview, target));
      return EXIT.ok;
    }
    const lines = previewLines(preview, target);
    if (!session.json) for (const line of lines) session.terminal.note(line);
    mkdirSync(home, { recursive: true });
    // Fails when a platform runs here, and keeps one from starting meanwhile.
    const lock = lockHome(home);
    try {
      if (existsSync(join(postgresBase(home).base, 'data')))
        requireTyped(basename(home), options.confirm, `${home} holds a database, which would be replaced`);
      const report = await stage(session, { target, wish, home, artefactDir: config.artefactDir });
      placeRestored(home);
      setTemporalAside(home);
      session.answer(report, reportLines(report));
      return EXIT.ok;
    } finally {
      lock.release();
    }
  } finally {
    await target.store.close();
  }
}

function stage(
  session: Session,
  options: Pick<Parameters<typeof stageRestore>[0], 'target' | 'wish' | 'home' | 'artefactDir'>,
): Promise<RestoreReport> {
  let stageShown = '';
  const onProgress = ({ stage: current }: RestoreProgress): void => {
    if (current === stageShown || session.json) return;
    stageShown = current;
    session.terminal.note(`  ${STAGE_TEXTS[current]}`);
  };
  return stageRestore({ ...options, epochAbove: 0, by: 'cli', restoreId: randomUUID(), onProgress });
}

const STAGE_TEXTS: Readonly<Record<RestoreProgress['stage'], string>> = {
  plan: 'reading the target',
  log: 'fetching the log',
  unpack: 'unpacking the database',
  recover: 'replaying the log',
  artefacts: 'fetching artefacts',
  check: 'checking rows, artefacts and golden predictions',
  settle: 'beginning a new epoch',
  done: 'done',
};

/** Workflows of the time before would go on from a state that the restored database does not know. */
function setTemporalAside(home: string): void {
  const folder = join(home, 'temporal');
  if (existsSync(folder)) renameSync(folder, `${folder}.replaced-${String(Date.now())}`);
}

function previewDocument({ plan, set, windows }: RestorePreview, target: VaultTarget): unknown {
  return {
    target: target.address,
    set: set.setId,
    set_kind: set.setKind,
    set_finished_at: set.finishedAt,
    timeline: plan.timeline,
    restorable: windows,
    newest_at: new Date(plan.window.toMs).toISOString(),
    log_pieces: plan.pieces.length,
    artefacts: set.artefacts.length,
  };
}

function previewLines({ plan, set, windows }: RestorePreview, target: VaultTarget): readonly string[] {
  return [
    `Target      ${target.address}`,
    `Set         ${set.setId} (${set.setKind}) of ${set.finishedAt}, ${String(set.files.length)} files, ${String(set.artefacts.length)} artefacts`,
    set.setKind === 'logical'
      ? 'Log         none: a logical copy restores to its own moment only'
      : `Log         ${String(plan.pieces.length)} pieces on timeline ${String(plan.timeline)}, the newest of ${new Date(plan.window.toMs).toISOString()}`,
    `Restorable  ${windows[0] ?? 'the sets alone'}`,
    ...windows.slice(1).map((window) => `            ${window}`),
  ];
}

function reportLines(report: RestoreReport): readonly string[] {
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
    'Next: sluice up, then sluice backup now',
  ];
}
