import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createDatabase } from '../../db/connect.ts';
import { migrate } from '../../db/migrate.ts';
import { createRecoveryStore, type NewEpoch } from '../../db/recovery-store.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { DATABASE_USER, postgresBase } from '../../infra/embedded/postgres-cluster.ts';
import { clearStaged, markRestored, stagedDataDir, takeRestored } from '../../infra/embedded/restored-data.ts';
import { SEALING_KEY_FILE } from '../vault/stage-platform.ts';
import { withClient } from './check-restored.ts';
import {
  passableFolder,
  restoreAndCheck,
  sweepScratch,
  type RestoredState,
  type RestoreRequest,
} from './restore-and-check.ts';

const PASSWORD_BYTES = 24;

export interface StageRestoreOptions extends RestoreRequest {
  readonly home: string;
  readonly artefactDir: string;
  /** Highest epoch that is known to have been: the restored platform goes above it. */
  readonly epochAbove: number;
  readonly by: string;
  /** Names the restore in the audit. */
  readonly restoreId: string;
}

export interface RestoreReport extends RestoredState {
  readonly epoch: NewEpoch;
  readonly tookMs: number;
}

/**
 * Restores the platform of a home beside what is there, checks it, settles it in a new epoch, and marks it: the next
 * start of the database takes it. Nothing in use is touched before, and after a failure the home is as it was, apart
 * from artefacts that came back. A restore that was killed starts over.
 * @throws DomainError `refused`, `notFound`, `artefactCorrupt`, `unavailable`
 */
export async function stageRestore(options: StageRestoreOptions): Promise<RestoreReport> {
  const startedAt = Date.now();
  const { base } = postgresBase(options.home);
  const scratchDir = scratchDirOf(options.home);
  await sweepScratch(scratchDir);
  clearStaged(base);
  passableFolder(scratchDir);
  try {
    const artefacts = createFolderArtefactStore(options.artefactDir);
    const restored = await restoreAndCheck(options, { dataDir: stagedDataDir(base), scratchDir, artefacts });
    const { database, state } = restored;
    let epoch: NewEpoch;
    try {
      options.onProgress?.({ stage: 'settle', doneBytes: 0, totalBytes: 0 });
      epoch = await settle(options, database.databaseUrl, database.timeline);
      await setPassword(options.home, database.databaseUrl);
      await restoreSealingKey(options, restored.preview.set);
    } finally {
      await database.stop();
    }
    markRestored(base);
    options.onProgress?.({ stage: 'done', doneBytes: 0, totalBytes: 0 });
    return { ...state, epoch, tookMs: Date.now() - startedAt };
  } catch (error) {
    clearStaged(base);
    throw error;
  } finally {
    await sweepScratch(scratchDir);
  }
}

/** Puts a staged restore in place at once: for a home on which nothing runs. */
export function placeRestored(home: string): boolean {
  return takeRestored(postgresBase(home).base);
}

/**
 * Takes back what a restore has staged: one that was killed after it had marked its work is not waited for, and nobody
 * may come upon it later.
 */
export function discardStaged(home: string): void {
  clearStaged(postgresBase(home).base);
}

/** Ends the server that a killed restore left, and removes its working files. */
export function sweepRestore(home: string): Promise<void> {
  return sweepScratch(scratchDirOf(home));
}

const scratchDirOf = (home: string): string => join(postgresBase(home).base, 'restore-scratch');

/**
 * Timelines are never given twice, so a number above the new one's is above every epoch that a restore of this server
 * began before, even where the restored database does not know of it.
 */
async function settle(
  { by, restoreId, epochAbove, wish }: StageRestoreOptions,
  databaseUrl: string,
  timeline: number,
): Promise<NewEpoch> {
  await migrate(databaseUrl);
  const database = createDatabase(databaseUrl, { applicationName: 'sluice-restore' });
  try {
    const reason = wish.kind === 'latest' ? 'restored to the newest state' : `restored to ${describeWish(wish)}`;
    const above = Math.max(epochAbove, timeline - 1);
    return await createRecoveryStore(database).beginEpoch({ above, by, reason, changeId: restoreId });
  } finally {
    await database.close();
  }
}

function describeWish(wish: RestoreRequest['wish']): string {
  switch (wish.kind) {
    case 'latest':
      return 'the newest state';
    case 'moment':
      return new Date(wish.atMs).toISOString();
    case 'point':
      return `restore point "${wish.name}"`;
    case 'lsn':
      return `log position ${wish.lsn.toString(16)}`;
  }
}

/** Opens the webhooks of the restored database. Another key that is there stays beside it. */
export async function restoreSealingKey(
  { target, home }: Pick<StageRestoreOptions, 'target' | 'home'>,
  set: BackupManifest,
): Promise<void> {
  if (!set.files.some((file) => file.name === SEALING_KEY_FILE)) return;
  const source = await target.open(set);
  const chunks: Uint8Array[] = [];
  for await (const chunk of await source.open(SEALING_KEY_FILE)) chunks.push(chunk);
  const key = Buffer.concat(chunks);
  const file = join(home, 'sealing.key');
  if (existsSync(file)) {
    if (readFileSync(file).equals(key)) return;
    renameSync(file, `${file}.replaced-${String(Date.now())}`);
  }
  writeFileSync(file, key, { mode: 0o600, flush: true });
}

/** The database brings the password of its old home; programs of this one open it with theirs. */
export async function setPassword(home: string, databaseUrl: string): Promise<void> {
  const file = join(home, 'postgres-password');
  if (!existsSync(file))
    writeFileSync(file, `${randomBytes(PASSWORD_BYTES).toString('base64url')}\n`, { mode: 0o600, flush: true });
  const password = readFileSync(file, 'utf8').trim();
  await withClient(databaseUrl, async (client) => {
    // A utility statement takes no parameters; base64url needs no escaping, other texts get it.
    await client.query(`alter role ${DATABASE_USER} password ${client.escapeLiteral(password)}`);
  });
}
