import { mkdir, statfs } from 'node:fs/promises';
import type { ObjectStore } from '../adapters/object-stores/object-store.ts';
import type { BackupTarget } from '../adapters/object-stores/parse-target.ts';
import { requireUsable } from '../adapters/object-stores/require-usable.ts';
import type { ArtefactStore } from '../domain/artefacts.ts';
import { DomainError } from '../domain/errors.ts';
import { lockEnd } from '../domain/recovery/lock.ts';
import type { BackupManifest, TemporalFacts } from '../domain/recovery/manifest.ts';
import { MANIFEST_FORMAT_VERSION, MANIFEST_KIND } from '../domain/recovery/manifest.ts';
import type { RetentionPolicy } from '../domain/recovery/retention.ts';
import { verifyAndMark } from '../recovery/catalogue/keep-sets.ts';
import type { DatabaseFacts } from '../recovery/vault/stage-database.ts';
import { copyArtefacts } from '../recovery/vault/copy-artefacts.ts';
import { pruneSets } from '../recovery/vault/prune-sets.ts';
import { databaseBytes, stageDatabase } from '../recovery/vault/stage-database.ts';
import { stageDefinitions, stageLogs, stageSealingKey } from '../recovery/vault/stage-platform.ts';
import { clearStaged, stageSet, type StagedSet } from '../recovery/vault/stage-set.ts';
import { publishManifest, uploadSet } from '../recovery/vault/upload-set.ts';
import type { VaultKeys } from '../recovery/vault/vault-keys.ts';
import type { VaultTarget } from '../recovery/vault/vault-target.ts';
import type { BackupActivities, BackupRun } from './backup-contract.ts';
import { heartbeating } from './heartbeating.ts';

export interface BackupDeps {
  readonly databaseUrl: string;
  readonly artefacts: ArtefactStore;
  readonly stagingDir: string;
  readonly logDir: string;
  /** The file that webhooks are sealed with; `null`: it is given from outside. */
  readonly sealingKeyPath: string | null;
  readonly retention: RetentionPolicy;
  /** Read in a second at most, so that predictions go on as ever. Default: as many as can be. */
  readonly rateMaxBytes?: number;
  readonly softwareVersion: string;
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  readonly keys: () => Promise<VaultKeys>;
  /** By name, in the order of the configuration. */
  readonly targets: () => Promise<ReadonlyMap<string, { readonly target: BackupTarget; readonly vault: VaultTarget }>>;
  readonly temporalFacts: () => Promise<TemporalFacts>;
  readonly nowMs: () => number;
  /** @throws DomainError `fenced` where another region owns the epoch */
  readonly requireLease: () => Promise<void>;
  /** The database refused a physical copy, in these words. */
  readonly onLogical?: (setId: string, reason: string) => void;
  /** After a verification that found nothing, or something. */
  readonly onVerified: (target: string, setId: string, ok: boolean) => void;
}

export function createBackupActivities(deps: BackupDeps): BackupActivities {
  const staged = async ({ setId }: BackupRun): Promise<StagedSet> =>
    stageSet(deps.stagingDir, setId, (await deps.keys()).recipients);
  const targetOf = async (name: string) => {
    const targets = await deps.targets();
    const found = targets.get(name);
    if (found !== undefined) return found;
    throw new DomainError('invalidInput', `There is no backup target ${name}`, [
      { field: 'target', message: 'is not configured', allowed: [...targets.keys()] },
    ]);
  };
  return {
    openBackup: () => beating('open', (signal) => openTargets(deps, signal)),
    stageBackup: (run) =>
      beating('database', async (signal, progress) => {
        const set = await staged(run);
        const sink = set.sink(signal, progress);
        await stageDatabase(set, sink, { ...deps, onLogical: (reason) => deps.onLogical?.(run.setId, reason) });
        await stageDefinitions(set, sink, { databaseUrl: deps.databaseUrl, temporal: deps.temporalFacts });
        await stageSealingKey(set, sink, deps.sealingKeyPath);
        await stageLogs(sink, deps.logDir);
        const files = await set.files();
        const setKind = (await set.recall<DatabaseFacts>('database'))?.setKind ?? 'physical';
        return { setKind, files: files.length, storedBytes: files.reduce((sum, file) => sum + file.storedBytes, 0) };
      }),
    uploadBackup: ({ target: name, ...run }) =>
      beating(`upload to ${name}`, async (signal, progress) => {
        const [{ target, vault }, set, keys] = await Promise.all([targetOf(name), staged(run), deps.keys()]);
        return upload(deps, run, { target, store: vault.store, set, keys, signal, progress });
      }),
    verifyBackup: ({ setId, target }) =>
      beating(`verify in ${target}`, async (signal, onProgress) => {
        const { vault } = await targetOf(target);
        const { nowMs } = deps;
        const opened = { vault, keys: await deps.keys() };
        const { problems, bytesRead, contentChecked } = await verifyAndMark(opened, setId, {
          signal,
          onProgress,
          nowMs,
          rateMaxBytes: deps.rateMaxBytes,
        });
        deps.onVerified(target, setId, problems.length === 0);
        return { problems, bytesRead, contentChecked };
      }),
    pruneBackups: ({ target }) =>
      beating(`prune ${target}`, async (signal) => {
        const foreign = await ownerElsewhere(deps);
        // The backup itself stands: its schedule must not stop over it.
        if (foreign !== null) return { removedSets: [], notes: [`nothing is removed: ${foreign}`] };
        const { vault } = await targetOf(target);
        const options = { policy: deps.retention, nowMs: deps.nowMs(), dryRun: false, signal };
        const { removedSets, notes } = await pruneSets(vault, options);
        return { removedSets, notes };
      }),
    closeBackup: ({ setId }) => clearStaged(deps.stagingDir, setId, deps.nowMs()),
  };
}

interface Upload {
  readonly target: BackupTarget;
  readonly store: ObjectStore;
  readonly set: StagedSet;
  readonly keys: VaultKeys;
  readonly signal: AbortSignal;
  readonly progress: (bytes: number) => void;
}

/** Artefacts first, the manifest last: a set that can be seen is whole. */
async function upload(deps: BackupDeps, run: BackupRun, { target, store, set, keys, signal, progress }: Upload) {
  const facts = await set.recall<DatabaseFacts>('database');
  if (facts === null) throw new DomainError('internal', 'The set was not put together on this worker');
  const lockUntil = lockEnd(target.lockDays, Date.parse(run.startedAt));
  const copied = await copyArtefacts({
    store,
    artefacts: deps.artefacts,
    digests: facts.digests,
    recipients: keys.recipients,
    signal,
    lockUntil,
    extendLocks: true,
  });
  await uploadSet(store, set, { signal, lockUntil, onProgress: progress });
  const manifest = await manifestOf(deps, run, set, copied);
  await publishManifest(store, manifest, keys.signer, { signal, lockUntil });
  return { artefacts: copied.entries.length, uploadedArtefacts: copied.uploaded };
}

/** Heartbeats with the bytes done so far. */
function beating<T>(
  stage: string,
  work: (signal: AbortSignal, onBytes: (bytes: number) => void) => Promise<T>,
): Promise<T> {
  const at = (bytes: number) => ({ stage, done: bytes, total: 0, message: `${stage}: ${Math.round(bytes / 1e6)} MB` });
  return heartbeating(at(0), 0, ({ signal, onProgress }) => {
    let told = 0;
    const onBytes = (bytes: number): void => {
      // One beat in 8 MB is plenty, and chunks are small.
      if (bytes - told < 8 * 1024 * 1024) return;
      told = bytes;
      onProgress(at(bytes));
    };
    return work(signal, onBytes);
  });
}

async function openTargets(deps: BackupDeps, signal: AbortSignal) {
  await requireRoom(deps);
  const usable: string[] = [];
  const unusable: { target: string; problem: string }[] = [];
  for (const [name, { vault }] of await deps.targets()) {
    try {
      await requireUsable(vault.store, signal);
      usable.push(name);
    } catch (error) {
      signal.throwIfAborted();
      unusable.push({ target: name, problem: error instanceof Error ? error.message : String(error) });
    }
  }
  if (usable.length > 0) return { usable, unusable };
  const problems = unusable.map(({ target, problem }) => ({ field: target, message: problem }));
  // A target that is only away may be back: this is tried again.
  throw new DomainError('unavailable', 'No backup target can be used', problems);
}

/** The packed database is never larger than the plain one. */
async function requireRoom({ databaseUrl, stagingDir }: BackupDeps): Promise<void> {
  await mkdir(stagingDir, { recursive: true });
  const [needed, disk] = await Promise.all([databaseBytes(databaseUrl), statfs(stagingDir)]);
  const free = disk.bavail * disk.bsize;
  if (free >= needed) return;
  const gb = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new DomainError(
    'refused',
    `A backup needs up to ${gb(needed)} on the disk of ${stagingDir}; ${gb(free)} are free`,
    [{ field: 'SLUICE_HOME', message: `${gb(free)} are free`, allowed: [`${gb(needed)} or more`] }],
  );
}

async function manifestOf(
  deps: BackupDeps,
  run: BackupRun,
  set: StagedSet,
  copied: { readonly entries: BackupManifest['artefacts']; readonly group: string },
): Promise<BackupManifest> {
  const facts = await set.recall<DatabaseFacts>('database');
  const platform = await set.recall<
    Pick<BackupManifest, 'temporal'> & { definitions: BackupManifest['configuration']['definitions'] }
  >('platform');
  if (facts === null || platform === null) throw new DomainError('internal', 'The set is not complete');
  const files = await set.files();
  return {
    kind: MANIFEST_KIND,
    formatVersion: MANIFEST_FORMAT_VERSION,
    setId: run.setId,
    setKind: facts.setKind,
    startedAt: run.startedAt,
    // When the copy of the database was complete: the same in each target, and in each attempt.
    finishedAt: facts.finishedAt,
    requestedBy: run.requestedBy,
    label: run.label,
    softwareVersion: deps.softwareVersion,
    schemaVersion: facts.schemaVersion,
    postgres: facts.postgres,
    rowCounts: facts.rowCounts,
    files,
    artefacts: copied.entries,
    artefactGroup: copied.group,
    temporal: platform.temporal,
    configuration: {
      definitions: platform.definitions,
      settings: deps.settings,
      logs: files.map((file) => file.name).filter((name) => name.startsWith('logs/')),
    },
    encryption: set.encryption,
    compression: set.compression,
    golden: facts.golden,
  };
}

/** Why the targets that regions share are not this one's to prune; `null`: they are. */
async function ownerElsewhere({ requireLease }: BackupDeps): Promise<string | null> {
  return requireLease().then(
    () => null,
    (error: unknown) => {
      if (error instanceof DomainError && error.code === 'fenced') return error.message;
      throw error;
    },
  );
}
