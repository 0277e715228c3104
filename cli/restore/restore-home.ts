import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readConfig } from '../../adapters/config.ts';
import { DomainError } from '../../domain/errors.ts';
import { postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import { lockHome } from '../../infra/platform/home-lock.ts';
import { parseWish } from '../../recovery/restore/parse-wish.ts';
import { previewRestore, type RestorePreview, type RestoreProgress } from '../../recovery/restore/restore-and-check.ts';
import { placeRestored, stageRestore, type RestoreReport } from '../../recovery/restore/restore-platform.ts';
import type { VaultTarget } from '../../recovery/vault/vault-target.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { temporalAddressHere } from '../temporal-here.ts';
import { openTarget } from './open-target.ts';
import { requireTyped, type RestoreCommandOptions } from './options.ts';
import { reportLines, STAGE_TEXTS } from './report-lines.ts';
import { restoreRunning } from './restore-running.ts';

/** Restores into the home of this machine while nothing runs on it; a running platform is asked to restore itself. */
export async function restoreHome(session: Session, options: RestoreCommandOptions): Promise<ExitCode> {
  const wish = parseWish(options.to);
  const config = readConfig();
  const { home } = config;
  if (options.preview !== true && (await runsHere(home))) return restoreRunning(session, options, home);
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
      session.answer(report, [...reportLines(report), 'Next: sluice up, then sluice backup now']);
      return EXIT.ok;
    } finally {
      lock.release();
    }
  } finally {
    await target.store.close();
  }
}

/** A lock that a platform holds; another command's own restore leaves no such file. */
async function runsHere(home: string): Promise<boolean> {
  if ((await temporalAddressHere(home)) === null) return false;
  try {
    lockHome(home).release();
    // What a platform that was killed left behind.
    return false;
  } catch (error) {
    if (error instanceof DomainError && error.code === 'conflict') return true;
    throw error;
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
