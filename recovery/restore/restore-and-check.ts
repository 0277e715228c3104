import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactStore } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import type { BackupManifest, SetKind } from '../../domain/recovery/manifest.ts';
import { formatLsn } from '../postgres/lsn.ts';
import { stopScratchServer } from '../postgres/scratch-server.ts';
import { checkRestored, referencedArtefacts, type CheckReport } from './check-restored.ts';
import { fetchArtefacts } from './fetch-artefacts.ts';
import { describeWindows, planRestore, restorableWindows, type RestorePlan, type RestoreWish } from './plan-restore.ts';
import { restoreDatabase, type RestoredDatabase, type RestorePhase } from './restore-database.ts';
import { restoreLogical } from './restore-logical.ts';
import { readTarget, type RestoreTarget, type TargetContents } from './restore-target.ts';

/** Free space wanted beyond the database and its log: for what recovery itself writes. */
const SPARE_BYTES = 256 * 1024 * 1024;

export type RestoreStage = 'plan' | 'log' | 'unpack' | 'recover' | 'artefacts' | 'check' | 'settle' | 'done';

export interface RestoreProgress {
  readonly stage: RestoreStage;
  readonly doneBytes: number;
  /** 0: not known. */
  readonly totalBytes: number;
}

export interface RestoreRequest {
  readonly target: RestoreTarget;
  readonly wish: RestoreWish;
  /** Of the server that is restored, where the target holds several. */
  readonly systemId?: string;
  readonly onProgress?: (progress: RestoreProgress) => void;
  readonly signal?: AbortSignal;
}

export interface RestorePreview {
  readonly plan: RestorePlan;
  readonly set: BackupManifest;
  readonly contents: TargetContents;
  /** What can be restored at all, for a person. */
  readonly windows: readonly string[];
}

export interface RestoredState {
  readonly setId: string;
  /** A logical set brings back its own moment alone: nothing that came after it. */
  readonly setKind: SetKind;
  readonly target: string;
  /** Timeline that was followed, and the one that the restored database writes. */
  readonly timeline: number;
  readonly newTimeline: number;
  readonly reachedLsn: string;
  /** End of the log in the target. */
  readonly shippedLsn: string;
  /** Bytes at the end of the log that hold no whole record, and so nothing that was acknowledged. */
  readonly cutOffBytes: number;
  /** ISO 8601: newest log that reached the target. */
  readonly newestShippedAt: string;
  readonly windows: readonly string[];
  readonly checks: CheckReport;
}

/** What a restore would do, without touching anything. @throws DomainError `refused`, `notFound` */
export async function previewRestore({ target, wish, systemId }: RestoreRequest): Promise<RestorePreview> {
  const contents = await readTarget(target, systemId);
  const plan = planRestore(contents.sources, wish);
  const set = contents.sets.get(plan.setId);
  if (set === undefined) throw new DomainError('internal', `The plan names the set ${plan.setId}, which is not there`);
  return { plan, set, contents, windows: describeWindows(restorableWindows(contents.sources)) };
}

/**
 * Restores database and artefacts into the given places and checks them. The server stays up for the caller, who
 * stops it; after a failure nothing runs.
 * @throws DomainError `refused`, `notFound`, `artefactCorrupt`, `unavailable`
 */
export async function restoreAndCheck(
  request: RestoreRequest,
  place: { readonly dataDir: string; readonly scratchDir: string; readonly artefacts: ArtefactStore },
): Promise<{ database: RestoredDatabase; state: RestoredState; preview: RestorePreview }> {
  const say = (stage: RestoreStage, doneBytes = 0, totalBytes = 0): void =>
    request.onProgress?.({ stage, doneBytes, totalBytes });
  say('plan');
  const preview = await previewRestore(request);
  const { plan, set, contents } = preview;
  const totalBytes = set.files.reduce((sum, file) => sum + file.bytes, 0);
  await requireSpace(place.scratchDir, totalBytes + plan.pieces.reduce((n, p) => n + Number(p.end - p.start), 0));
  const signal = request.signal === undefined ? {} : { signal: request.signal };
  const { store: wal, sources } = contents;
  const common = {
    plan,
    source: await request.target.open(set),
    ...place,
    onProgress: (phase: RestorePhase, done: number) => say(phase, done, phase === 'unpack' ? totalBytes : 0),
    ...signal,
  };
  const { histories, segmentBytes } = sources;
  const database =
    set.setKind === 'logical'
      ? await restoreLogical(common)
      : await restoreDatabase({ ...common, store: wal, histories, segmentBytes });
  try {
    const referenced = await referencedArtefacts(database.databaseUrl);
    say('artefacts', 0, referenced.digests.length);
    const { target } = request;
    const { artefacts: store, scratchDir } = place;
    await fetchArtefacts({ target, set, store, referenced, manifests: referenced.manifests, scratchDir, ...signal });
    say('check');
    const checks = await checkRestored(database.databaseUrl, store, set, referenced);
    return { database, preview, state: describe(request, preview, database, checks) };
  } catch (error) {
    await database.stop();
    throw error;
  }
}

function describe(
  { target }: RestoreRequest,
  { plan, set, windows }: RestorePreview,
  database: RestoredDatabase,
  checks: CheckReport,
): RestoredState {
  return {
    setId: plan.setId,
    setKind: set.setKind,
    target: target.address,
    timeline: database.readTimeline,
    newTimeline: database.timeline,
    reachedLsn: formatLsn(database.reachedLsn),
    shippedLsn: formatLsn(plan.endLsn),
    cutOffBytes: database.cutOffBytes,
    newestShippedAt: new Date(plan.window.toMs).toISOString(),
    windows,
    checks,
  };
}

/** A full disk is found before it is filled. */
async function requireSpace(dir: string, bytes: number): Promise<void> {
  mkdirSync(dir, { recursive: true });
  const { bavail, bsize } = await statfs(dir);
  const [free, wanted] = [bavail * bsize, bytes + SPARE_BYTES];
  if (free >= wanted) return;
  const mb = (n: number): string => `${String(Math.ceil(n / 1024 / 1024))} MB`;
  throw new DomainError(
    'refused',
    `There is no room to restore into ${dir}: ${mb(wanted)} are needed, ${mb(free)} free`,
  );
}

/** Ends a server and removes the files that a killed restore left. */
export async function sweepScratch(...folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    if (!existsSync(folder)) continue;
    await stopScratchServer(folder);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A folder that PostgreSQL's user can pass through. */
export function passableFolder(...parts: readonly string[]): string {
  const folder = join(...parts);
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
  return folder;
}
